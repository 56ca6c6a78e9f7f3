//! The results of tasks whose ids are known.
//!
//! A result backend may hold millions of results: they are never scanned.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::connection::{Connection, ReadCommand};
use super::error::BrokerError;
use crate::wire::celery::redis_layout::keys;
use crate::wire::snapshot::{Content, KeyLine};

/// Results that are asked for in one breath.
const BATCH: usize = 250;
/// The longest result that is fetched, in bytes. What a task returned is of no
/// interest here, and may be of any size.
const LONGEST: i64 = 1 << 20;

/// Looks up `<prefix>celery-task-meta-<id>` for each of `ids`, and hands those
/// that are there to `each`, which may break off. Returns how many were passed
/// over because they have more than 1 MiB.
///
/// # Errors
///
/// [`BrokerError`].
pub fn read_results<'i>(
    connection: &mut Connection,
    prefix: &str,
    ids: impl IntoIterator<Item = &'i str>,
    each: &mut dyn FnMut(KeyLine<'static>) -> ControlFlow<()>,
) -> Result<u64, BrokerError> {
    let mut keys = ids.into_iter().map(|id| keys::result_of(prefix, id).into_bytes()).peekable();
    let mut too_long = 0;
    while keys.peek().is_some() {
        let batch: Vec<Vec<u8>> = keys.by_ref().take(BATCH).collect();
        let mut questions = Vec::with_capacity(2 * batch.len());
        for key in &batch {
            questions.extend([ReadCommand::StringLength(key), ReadCommand::TimeToLive(key)]);
        }
        let answers = connection.ask_each::<i64>(&questions)?;
        let mut there = Vec::new();
        for (key, answers) in batch.into_iter().zip(answers.chunks_exact(2)) {
            match answers {
                [Ok(0) | Err(BrokerError::WrongType { .. }), _] => {}
                [Ok(length), _] if *length > LONGEST => too_long += 1,
                [Ok(_), Ok(pttl)] => there.push((key, *pttl)),
                // Whatever else is wrong is wrong with the fetching too, and is told there.
                _ => there.push((key, -1)),
            }
        }
        if read_batch(connection, there, each)?.is_break() {
            break;
        }
    }
    Ok(too_long)
}

fn read_batch(
    connection: &mut Connection,
    there: Vec<(Vec<u8>, i64)>,
    each: &mut dyn FnMut(KeyLine<'static>) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, BrokerError> {
    if there.is_empty() {
        return Ok(ControlFlow::Continue(()));
    }
    let keys: Vec<&[u8]> = there.iter().map(|(key, _)| key.as_slice()).collect();
    let values: Vec<Option<Vec<u8>>> = connection.ask(&ReadCommand::Strings(&keys))?;
    let db = connection.database();
    let lines = there.into_iter().zip(values).filter_map(|((key, pttl), value)| {
        let content = Content::String(Cow::Owned(value?));
        Some(KeyLine { db, key: Cow::Owned(key), pttl, content, len: None, from: 0, complete: true })
    });
    Ok(lines.into_iter().try_for_each(each))
}
