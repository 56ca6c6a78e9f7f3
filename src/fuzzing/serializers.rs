//! Values as Celery's serializers write them, and bytes as its compressions do: by their
//! specifications, and by no code of the readers.

use std::io::Write;

use serde_json::Value;

use super::choices::Choices;

/// A serializer of Celery's, by its content type.
pub type Serializer = (&'static str, fn(&Value) -> Vec<u8>);

/// JSON is YAML too.
pub const SERIALIZERS: [Serializer; 4] = [
    ("application/json", |value| value.to_string().into_bytes()),
    ("application/x-yaml", |value| value.to_string().into_bytes()),
    ("application/x-msgpack", msgpack),
    ("application/x-python-serialize", pickle),
];

/// What kombu calls its compressions. The last has no writer here.
pub const COMPRESSIONS: [&str; 6] = [
    "",
    "application/x-gzip",
    "application/x-bz2",
    "application/x-lzma",
    "application/zstd",
    "application/x-brotli",
];

/// One of the serializers, and one of the compressions.
pub fn of_choice(choices: &mut Choices<'_>) -> (Serializer, &'static str) {
    (choices.one_of(&SERIALIZERS), choices.one_of(&COMPRESSIONS))
}

/// The bytes as that compression has them; as they are where it has no writer.
pub fn compressed(compression: &str, bytes: &[u8]) -> Vec<u8> {
    const TAKES: &str = "memory takes it";
    match compression {
        "application/x-gzip" => {
            let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(bytes).expect(TAKES);
            writer.finish().expect(TAKES)
        }
        "application/x-bz2" => {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(bytes).expect(TAKES);
            writer.finish().expect(TAKES)
        }
        "application/x-lzma" => {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 0);
            writer.write_all(bytes).expect(TAKES);
            writer.finish().expect(TAKES)
        }
        "application/zstd" => zstd::encode_all(bytes, 1).expect(TAKES),
        _ => bytes.to_vec(),
    }
}

/// <https://github.com/msgpack/msgpack/blob/master/spec.md>
fn msgpack(value: &Value) -> Vec<u8> {
    fn write(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Null => out.push(0xc0),
            Value::Bool(flag) => out.push(0xc2 + u8::from(*flag)),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => out.extend([&[0xcf][..], &number.to_be_bytes()].concat()),
                (None, Some(number)) => out.extend([&[0xd3][..], &number.to_be_bytes()].concat()),
                (None, None) => {
                    let number = number.as_f64().unwrap_or_default();
                    out.extend([&[0xcb][..], &number.to_be_bytes()].concat());
                }
            },
            Value::String(text) => {
                out.push(0xdb);
                out.extend(length(text.len()).to_be_bytes());
                out.extend(text.bytes());
            }
            Value::Array(list) => {
                out.push(0xdd);
                out.extend(length(list.len()).to_be_bytes());
                list.iter().for_each(|value| write(value, out));
            }
            Value::Object(members) => {
                out.push(0xdf);
                out.extend(length(members.len()).to_be_bytes());
                for (name, value) in members {
                    write(&name.as_str().into(), out);
                    write(value, out);
                }
            }
        }
    }
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// Protocol 2, as `pickletools` describes it:
/// <https://github.com/python/cpython/blob/main/Lib/pickletools.py>.
fn pickle(value: &Value) -> Vec<u8> {
    fn write(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Null => out.push(b'N'),
            Value::Bool(flag) => out.push(if *flag { 0x88 } else { 0x89 }),
            Value::Number(number) => {
                let whole = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
                match whole {
                    // LONG1, of nine bytes.
                    Some(number) => out.extend([&[0x8a, 9][..], &number.to_le_bytes()[..9]].concat()),
                    None => {
                        let number = number.as_f64().unwrap_or_default();
                        out.extend([&b"G"[..], &number.to_be_bytes()].concat());
                    }
                }
            }
            Value::String(text) => {
                out.push(b'X');
                out.extend(length(text.len()).to_le_bytes());
                out.extend(text.bytes());
            }
            Value::Array(list) => {
                out.extend(b"](");
                list.iter().for_each(|value| write(value, out));
                out.push(b'e');
            }
            Value::Object(members) => {
                out.extend(b"}(");
                for (name, value) in members {
                    write(&name.as_str().into(), out);
                    write(value, out);
                }
                out.push(b'u');
            }
        }
    }
    let mut out = b"\x80\x02".to_vec();
    write(value, &mut out);
    out.push(b'.');
    out
}

fn length(length: usize) -> u32 {
    u32::try_from(length).expect("a short one")
}
