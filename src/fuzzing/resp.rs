//! What a Redis says: our reader, in pieces of any size, and the one of the driver.

use std::io::{BufReader, Cursor, Read};

use redis::{Value, VerbatimFormat};

use super::choices::Choices;
use crate::broker::redis::door::{Command, Reply, ServerError, read};

/// How many replies are read of one input.
const REPLIES: usize = 8;

/// Replies read the same in pieces, however they are cut: the first byte says how long these
/// are. What the driver reads too, it reads as the same. Of what `MONITOR` shows, arguments
/// that are quoted as Redis does it read as they were.
pub fn resp(bytes: &[u8]) {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let size = usize::from(*piece).max(1);
    let mut whole = Cursor::new(bytes);
    let mut cut = BufReader::with_capacity(size, Pieces { bytes, size });
    for _ in 0..REPLIES {
        let before = usize::try_from(whole.position()).expect("it fits memory");
        let one = read(&mut whole);
        assert_eq!(format!("{one:?}"), format!("{:?}", read(&mut cut)), "in pieces of {size}");
        let Ok((reply, _)) = one else { break };
        let bytes = &bytes[before..usize::try_from(whole.position()).expect("it fits memory")];
        // The driver hands out what was pushed, and reads verbatim strings as UTF-8.
        let is_comparable =
            !bytes.starts_with(b">") && (std::str::from_utf8(bytes).is_ok() || !bytes.contains(&b'='));
        if is_comparable && let Some(theirs) = redis::parse_redis_value(bytes).ok().and_then(of_driver) {
            assert_eq!(format!("{reply:?}"), format!("{theirs:?}"));
        }
    }
    if let Some(command) = Command::parse(bytes) {
        let _ = (command.name(), command.arguments().count());
    }
    hold_monitor(&mut Choices::by(bytes));
}

/// Bytes that come in pieces of one size.
struct Pieces<'b> {
    bytes: &'b [u8],
    size: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = self.size.min(buffer.len());
        (&mut self.bytes).take(most as u64).read(buffer)
    }
}

/// The driver's value in our words; `None` for one that has none.
pub fn of_driver(value: Value) -> Option<Reply> {
    let all = |values: Vec<Value>| values.into_iter().map(of_driver).collect::<Option<Vec<_>>>();
    let bulk = |text: &str| Reply::Bulk(text.as_bytes().to_vec());
    Some(match value {
        Value::Nil => Reply::Null,
        Value::Int(number) => Reply::Integer(number),
        Value::BulkString(bytes) => Reply::Bulk(bytes),
        Value::Array(values) => Reply::Array(all(values)?),
        Value::Set(values) => Reply::Set(all(values)?),
        Value::SimpleString(text) => Reply::Status(text),
        Value::Okay => Reply::Status("OK".to_owned()),
        Value::Map(pairs) => {
            let pair = |(name, value)| Some((of_driver(name)?, of_driver(value)?));
            Reply::Map(pairs.into_iter().map(pair).collect::<Option<_>>()?)
        }
        Value::Attribute { data, .. } => of_driver(*data)?,
        Value::Double(double) => Reply::Double(double),
        Value::Boolean(is_true) => Reply::Boolean(is_true),
        // A format has three characters. The driver takes what stands before the first colon.
        Value::VerbatimString { format: VerbatimFormat::Unknown(format), text } => {
            bulk(format!("{format}:{text}").get(4..)?)
        }
        Value::VerbatimString { text, .. } => bulk(&text),
        Value::BigNumber(digits) => Reply::BigNumber(String::from_utf8(digits).ok()?),
        Value::ServerError(said) => Reply::Error(ServerError {
            code: said.code().to_owned(),
            message: said.details().unwrap_or_default().to_owned(),
        }),
        _ => return None,
    })
}

/// Writes a line of `MONITOR`, with arguments as `sdscatrepr` quotes them, and reads it.
fn hold_monitor(choices: &mut Choices<'_>) {
    let arguments: Vec<_> = (0..choices.below(5)).map(|_| choices.bytes(24)).collect();
    let mut line = b"1339518083.107412 [0 127.0.0.1:60866] \"lpush\"".to_vec();
    for argument in &arguments {
        line.extend(b" \"");
        for byte in *argument {
            match byte {
                b'\\' | b'"' => line.extend([b'\\', *byte]),
                b'\n' => line.extend(b"\\n"),
                b'\r' => line.extend(b"\\r"),
                b'\t' => line.extend(b"\\t"),
                7 => line.extend(b"\\a"),
                8 => line.extend(b"\\b"),
                b' '..=b'~' => line.push(*byte),
                _ => line.extend(format!("\\x{byte:02x}").bytes()),
            }
        }
        line.push(b'"');
    }
    let command = Command::parse(&line).expect("a line of MONITOR");
    assert_eq!(command.name(), b"lpush");
    assert_eq!(command.arguments().collect::<Vec<_>>(), arguments);
}
