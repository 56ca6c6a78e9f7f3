//! The results of tasks whose ids are known.
//!
//! A result backend may hold millions of results, so it is never scanned.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::connection::{Connection, ReadCommand};
use super::error::BrokerError;
use crate::wire::celery::redis_layout::keys;
use crate::wire::snapshot::{KeyContent, KeyLine};

/// Results that are asked for in one round trip.
const BATCH: usize = 250;
/// The longest result that is fetched, in bytes. The return value of a task does not
/// matter here, and may have any size.
const LONGEST: i64 = 1 << 20;

/// Looks up `<prefix>celery-task-meta-<id>` for each of `ids`, and gives those that exist
/// to `each`, which may break off. Returns how many were skipped because they are longer
/// than 1 MiB.
///
/// On a node of a cluster, results on other nodes count as absent: Celery, too, reaches
/// through this node only what lies on it.
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
                [Ok(0) | Err(BrokerError::WrongType { .. } | BrokerError::OtherNode { .. }), _] => {}
                [Ok(length), _] if *length > LONGEST => too_long += 1,
                [Ok(_), Ok(pttl)] => there.push((key, *pttl)),
                // Any other error comes from fetching too, and is reported there.
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
    let values: Vec<Option<Vec<u8>>> = match connection.ask(&ReadCommand::Strings(&keys)) {
        // A node of a cluster needs one command for each key.
        Err(BrokerError::CrossSlot { .. }) => one_by_one(connection, &keys)?,
        answer => answer?,
    };
    let db = connection.database();
    let lines = there.into_iter().zip(values).filter_map(|((key, pttl), value)| {
        let content = KeyContent::String(Cow::Owned(value?));
        Some(KeyLine { db, key: Cow::Owned(key), pttl, content, len: None, from: 0, complete: true })
    });
    Ok(lines.into_iter().try_for_each(each))
}

fn one_by_one(connection: &mut Connection, keys: &[&[u8]]) -> Result<Vec<Option<Vec<u8>>>, BrokerError> {
    let each: Vec<&[&[u8]]> = keys.chunks(1).collect();
    let questions: Vec<_> = each.iter().map(|key| ReadCommand::Strings(key)).collect();
    let answers = connection.ask_each::<Vec<Option<Vec<u8>>>>(&questions)?;
    let value = |answer| match answer {
        Ok(mut values) => Ok(Vec::pop(&mut values).flatten()),
        Err(BrokerError::OtherNode { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    answers.into_iter().map(value).collect()
}
