use std::io::{BufReader, Cursor, repeat};

use proptest::prelude::*;

use super::*;
use crate::fuzzing::of_driver;

fn read_all(bytes: &[u8]) -> Result<Reply, ReplyError> {
    read(&mut Cursor::new(bytes)).map(|(reply, _)| reply)
}

fn bulk(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}

fn error(code: &str, message: &str) -> Reply {
    Reply::Error(ServerError { code: code.to_owned(), message: message.to_owned() })
}

#[test]
fn each_kind_of_reply_is_read() {
    let cases: [(&[u8], Reply); 27] = [
        (b"+OK\r\n", Reply::Status("OK".to_owned())),
        (b":-7\r\n", Reply::Integer(-7)),
        (b"$5\r\nhi\r\nx\r\n", bulk("hi\r\nx")),
        (b"$-1\r\n", Reply::Null),
        (b"*-1\r\n", Reply::Null),
        (b"*2\r\n$1\r\n0\r\n*1\r\n$0\r\n\r\n", Reply::Array(vec![bulk("0"), Reply::Array(vec![bulk("")])])),
        (b"-WRONGTYPE no list\r\n", error("WRONGTYPE", "no list")),
        (b"-LOADING\r\n", error("LOADING", "")),
        // Version 3.
        (b"_\r\n", Reply::Null),
        (b"#t\r\n", Reply::Boolean(true)),
        (b"#f\r\n", Reply::Boolean(false)),
        (b",1.5\r\n", Reply::Double(1.5)),
        (b",-3\r\n", Reply::Double(-3.0)),
        (b",1e-9\r\n", Reply::Double(1e-9)),
        (b",inf\r\n", Reply::Double(f64::INFINITY)),
        (b",-inf\r\n", Reply::Double(f64::NEG_INFINITY)),
        (
            b"(-3492890328409238509324850943850943825024385\r\n",
            Reply::BigNumber("-3492890328409238509324850943850943825024385".to_owned()),
        ),
        (b"!10\r\nSYNTAX a\nb\r\n", error("SYNTAX", "a\nb")),
        (b"=8\r\ntxt:text\r\n", bulk("text")),
        (b"=4\r\nmkd:\r\n", bulk("")),
        (b"~2\r\n:1\r\n_\r\n", Reply::Set(vec![Reply::Integer(1), Reply::Null])),
        (b"~0\r\n", Reply::Set(Vec::new())),
        (b"%1\r\n$1\r\na\r\n,2\r\n", Reply::Map(vec![(bulk("a"), Reply::Double(2.0))])),
        (b"%0\r\n", Reply::Map(Vec::new())),
        // What stands beside a reply is no part of it.
        (b"|1\r\n+ttl\r\n:3600\r\n$1\r\na\r\n", bulk("a")),
        (b"*1\r\n|1\r\n+ttl\r\n:3600\r\n:7\r\n", Reply::Array(vec![Reply::Integer(7)])),
        (b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n>1\r\n+x\r\n:7\r\n", Reply::Integer(7)),
    ];
    for (bytes, expected) in cases {
        let shown = String::from_utf8_lossy(bytes);
        assert_eq!(read_all(bytes).unwrap_or_else(|error| panic!("{shown:?}: {error:?}")), expected);
    }
    assert!(matches!(read_all(b",nan\r\n"), Ok(Reply::Double(double)) if double.is_nan()));
}

#[test]
fn what_no_redis_says_is_no_reply() {
    let deep = |sign: &str| sign.repeat(100_000).into_bytes();
    let deep = ["*1\r\n", "~1\r\n", "%1\r\n", "|1\r\n", ">1\r\n", "*1\r\n|1\r\n"].map(deep);
    let cases: [&[u8]; 36] = [
        b"$-5\r\n",
        b"*-5\r\n",
        b"=-5\r\n",
        b"=-1\r\n",
        b"!-1\r\n",
        b"~-1\r\n",
        b"%-1\r\n",
        b"|-1\r\n",
        b">-1\r\n",
        b"$+1\r\na\r\n",
        b"$\r\n",
        b"*x\r\n",
        b"%99999999999999999999\r\n",
        b":1e3\r\n",
        b"\r\n",
        b"+a\n",
        b"$1\r\nabc",
        b"+\xff\r\n",
        b"#\r\n",
        b"#true\r\n",
        b"_x\r\n",
        b",\r\n",
        b",one\r\n",
        b"(\r\n",
        b"(-\r\n",
        b"(1.5\r\n",
        b"=3\r\ntxt\r\n",
        b"=5\r\ntext:\r\n",
        b"=0\r\n\r\n",
        // Streamed, which no server does.
        b"$?\r\n;1\r\na\r\n;0\r\n",
        b"*?\r\n:1\r\n.\r\n",
        // A push stands between replies, and in none.
        b"*1\r\n>1\r\n+x\r\n",
        b"%1\r\n>1\r\n+x\r\n:1\r\n",
        b"\x00\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\xff\r\n",
    ];
    for bytes in cases.into_iter().chain(deep.iter().map(Vec::as_slice)) {
        let read = read_all(bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
        assert!(matches!(read, Err(ReplyError::NotRedis)), "{shown:?}: {read:?}");
    }
    for bytes in [&b""[..], b"+OK", b"$9\r\nabc", b"*2\r\n:1\r\n", b"%1\r\n:1\r\n", b"|0\r\n", b">0\r\n"] {
        let read = read_all(bytes);
        assert!(matches!(read, Err(ReplyError::Io(_))), "{bytes:?}: {read:?}");
    }
}

/// One message of 500 MB once hid all others.
#[test]
fn a_value_that_is_too_long_is_passed_over() {
    for sign in ["$", "="] {
        let begin = format!("*3\r\n$3\r\none\r\n{sign}{}\r\n", KEPT + 1).into_bytes();
        let bytes = Cursor::new(begin).chain(repeat(b'x').take(KEPT + 1)).chain(&b"\r\n$5\r\nthree\r\n"[..]);
        let (reply, passed_over) = read(&mut BufReader::new(bytes)).expect("a reply");
        assert_eq!(reply, Reply::Array(vec![bulk("one"), bulk(""), bulk("three")]));
        assert_eq!(passed_over, 1);
    }
}

/// What is read of a server that says this, and then the same for ever.
fn endless(begin: &str, piece: &str) -> Result<Reply, ReplyError> {
    struct Again<'p>(&'p [u8], usize);
    impl Read for Again<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            for byte in &mut *buffer {
                *byte = self.0[self.1 % self.0.len()];
                self.1 += 1;
            }
            Ok(buffer.len())
        }
    }
    let mut bytes = BufReader::new(begin.as_bytes().chain(Again(piece.as_bytes(), 0)));
    // Fewer values than otherwise, so that the test does not take a minute.
    Reading { reader: &mut bytes, room: LONGEST, values: 10_000, passed_over: 0 }.reply()
}

#[test]
fn a_reply_without_end_ends() {
    for (begin, piece) in [
        ("$10000000000\r\n", "x"),
        ("*1000000000\r\n", ":1\r\n"),
        ("~1000000000\r\n", ":1\r\n"),
        ("%1000000000\r\n", ":1\r\n"),
        ("|1000000000\r\n", ":1\r\n"),
        (">18446744073709551615\r\n", ":1\r\n"),
        ("|18446744073709551615\r\n", ":1\r\n"),
        ("*1000000\r\n", "$1000\r\n"),
        // Nothing but what was not asked for.
        ("", ">0\r\n"),
        ("", ">1\r\n+x\r\n"),
    ] {
        let read = endless(begin, piece);
        // A length is followed by digits of the next one, which are no end of a line.
        assert!(matches!(read, Err(ReplyError::TooLong | ReplyError::NotRedis)), "{begin:?}: {read:?}");
    }
    assert!(matches!(endless("+", "x"), Err(ReplyError::NotRedis)));
}

/// A reply as a server writes it, with what may stand before it: by the specification,
/// and by no code of ours.
#[derive(Clone, Debug)]
enum Written {
    Null(usize),
    Integer(i64),
    Status(String),
    Bulk(Vec<u8>),
    Verbatim(&'static str, String),
    Error(String, String),
    BlobError(String, String),
    Boolean(bool),
    Double(f64),
    BigNumber(String),
    Array(Vec<Written>),
    Set(Vec<Written>),
    Map(Vec<(Written, Written)>),
}

impl Written {
    fn write(&self, out: &mut Vec<u8>) {
        let line = |out: &mut Vec<u8>, text: String| out.extend([text.as_bytes(), b"\r\n"].concat());
        let blob = |out: &mut Vec<u8>, sign: char, bytes: &[u8]| {
            out.extend([format!("{sign}{}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat());
        };
        match self {
            Self::Null(form) => line(out, ["_", "$-1", "*-1"][form % 3].to_owned()),
            Self::Integer(number) => line(out, format!(":{number}")),
            Self::Status(text) => line(out, format!("+{text}")),
            Self::Bulk(bytes) => blob(out, '$', bytes),
            Self::Verbatim(format, text) => blob(out, '=', format!("{format}:{text}").as_bytes()),
            Self::Error(code, message) => line(out, format!("-{code} {message}")),
            Self::BlobError(code, message) => blob(out, '!', format!("{code} {message}").as_bytes()),
            Self::Boolean(is_true) => line(out, format!("#{}", if *is_true { 't' } else { 'f' })),
            Self::Double(double) => line(out, format!(",{double}")),
            Self::BigNumber(digits) => line(out, format!("({digits}")),
            Self::Array(values) | Self::Set(values) => {
                let sign = if matches!(self, Self::Array(_)) { '*' } else { '~' };
                line(out, format!("{sign}{}", values.len()));
                values.iter().for_each(|value| value.write(out));
            }
            Self::Map(pairs) => {
                line(out, format!("%{}", pairs.len()));
                for (name, value) in pairs {
                    name.write(out);
                    value.write(out);
                }
            }
        }
    }

    /// What it is to be read as.
    fn meant(&self) -> Reply {
        match self {
            Self::Null(_) => Reply::Null,
            Self::Integer(number) => Reply::Integer(*number),
            Self::Status(text) => Reply::Status(text.clone()),
            Self::Bulk(bytes) => Reply::Bulk(bytes.clone()),
            Self::Verbatim(_, text) => bulk(text),
            Self::Error(code, message) | Self::BlobError(code, message) => error(code, message),
            Self::Boolean(is_true) => Reply::Boolean(*is_true),
            Self::Double(double) => Reply::Double(*double),
            Self::BigNumber(digits) => Reply::BigNumber(digits.clone()),
            Self::Array(values) => Reply::Array(values.iter().map(Self::meant).collect()),
            Self::Set(values) => Reply::Set(values.iter().map(Self::meant).collect()),
            Self::Map(pairs) => {
                Reply::Map(pairs.iter().map(|(name, value)| (name.meant(), value.meant())).collect())
            }
        }
    }
}

/// Nests six deep at most, as what is read does eight.
fn written() -> impl Strategy<Value = Written> {
    let leaf = prop_oneof![
        (0..3usize).prop_map(Written::Null),
        any::<i64>().prop_map(Written::Integer),
        "[a-zA-Z0-9 ]{0,20}".prop_map(Written::Status),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Written::Bulk),
        (prop_oneof![Just("txt"), Just("mkd")], ".{0,20}")
            .prop_map(|(format, text)| Written::Verbatim(format, text)),
        ("[A-Z]{1,12}", "[a-z' ]{1,20}").prop_map(|(code, message)| Written::Error(code, message)),
        ("[A-Z]{1,12}", "[a-z'\r\n]{1,20}").prop_map(|(code, message)| Written::BlobError(code, message)),
        any::<bool>().prop_map(Written::Boolean),
        any::<f64>().prop_filter("equal to itself", |double| !double.is_nan()).prop_map(Written::Double),
        "-?[1-9][0-9]{0,40}".prop_map(Written::BigNumber),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Written::Array),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Written::Set),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Written::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_the_driver_reads_the_same(written in written()) {
        let mut bytes = Vec::new();
        written.write(&mut bytes);
        let read = read_all(&bytes).expect("it is valid");
        prop_assert_eq!(&read, &written.meant());
        let driver = redis::parse_redis_value(&bytes).expect("it is valid");
        prop_assert_eq!(Some(read), of_driver(driver));
    }

    /// Pushes and attributes may stand before every reply, and change nothing.
    #[test]
    fn what_was_not_asked_for_is_passed_over(
        written in written(),
        pushed in prop::collection::vec(written(), 1..4),
        attributes in prop::collection::vec((written(), written()), 0..3),
    ) {
        let mut bytes = format!(">{}\r\n", pushed.len()).into_bytes();
        pushed.iter().for_each(|value| value.write(&mut bytes));
        bytes.extend(format!("|{}\r\n", attributes.len()).into_bytes());
        for (name, value) in &attributes {
            name.write(&mut bytes);
            value.write(&mut bytes);
        }
        written.write(&mut bytes);
        prop_assert_eq!(read_all(&bytes).expect("it is valid"), written.meant());
    }

    /// No bytes make it panic, and it reads no further than one reply.
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(
            prop_oneof![
                prop::sample::select(b"+-:$*%~|>_,#(=!\r\n0123456789-".as_slice()),
                any::<u8>(),
            ],
            0..200,
        ),
        written in written(),
        cut in 0.0..1.0f64,
    ) {
        let _ = read_all(&bytes);
        let mut whole = Vec::new();
        written.write(&mut whole);
        let end = whole.len();
        let mut longer = Cursor::new([&whole[..], &bytes[..]].concat());
        prop_assert_eq!(read(&mut longer).expect("it is valid").0, written.meant());
        prop_assert_eq!(usize::try_from(longer.position()).expect("a short one"), end);
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss,
            reason = "a part of a short one")]
        let part = (end as f64 * cut) as usize;
        prop_assert!(read_all(&whole[..part]).is_err());
    }
}
