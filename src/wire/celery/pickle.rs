//! A pickle, looked at without being loaded.
//!
//! Loading a pickle runs whatever it says. This walks its opcodes instead, as
//! `pickletools.dis` does, and builds the plain values; whatever would import
//! or call something becomes null. The opcodes are those of
//! <https://github.com/python/cpython/blob/main/Lib/pickletools.py>.

use hashbrown::HashMap;
use serde_json::{Map, Value, json};

use super::result::cut;

/// Why a pickle could not be walked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("broken pickle at byte {at}: {why}")]
pub struct PickleError {
    pub at: usize,
    pub why: &'static str,
}

/// How many nodes a pickle may make, and how many places in its containers may
/// name one. A body of a task has a few hundred.
const NODES: usize = 100_000;
/// How many nodes a value may have once shared parts are written out: a list
/// that holds itself twice, thirty times over, is a bomb.
const WRITTEN: usize = 100_000;
/// How many bytes of text it may have then: a long text that a list holds a
/// hundred thousand times is a bomb too.
const WRITTEN_BYTES: usize = 16 << 20;
/// How deep a value is written out; what lies deeper becomes null.
const DEPTH: usize = 64;
/// The longest name of a class that is kept, in bytes.
const NAME: usize = 128;

/// Walks a pickle of any protocol, 0 to 5.
///
/// # Errors
///
/// [`PickleError`] where the bytes end early, an operand is missing from the
/// stack, an opcode is unknown, or the pickle makes more than 100,000 nodes.
/// What is over 16 MiB of text when it is written out is left out.
pub fn walk(bytes: &[u8]) -> Result<Value, PickleError> {
    Machine::of(bytes).read()
}

/// The same, of a result that may hold an exception: what would be made of a
/// class and its arguments becomes `{"exc_type": …, "exc_message": […]}`, as
/// Celery writes an exception where it has no pickle.
///
/// # Errors
///
/// As [`walk`].
pub fn walk_result(bytes: &[u8]) -> Result<Value, PickleError> {
    Machine { keeps_classes: true, ..Machine::of(bytes) }.read()
}

/// Containers refer to their parts by number, so that a shared part is kept once.
enum Node {
    Plain(Value),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    /// Past the plain types: something to import or to call.
    Opaque,
    /// The name of something to import.
    Class(String),
    /// What a call of that name with these arguments would make.
    Made(String, usize),
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// How many places there are in all containers.
    parts: usize,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: HashMap<u64, usize>,
    /// Whether names of what would be imported are kept.
    keeps_classes: bool,
}

/// How much may still be written out.
struct Room {
    values: usize,
    bytes: usize,
}

type Step<T> = Result<T, PickleError>;

impl<'a> Machine<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            nodes: Vec::new(),
            parts: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            keeps_classes: false,
        }
    }

    fn read(mut self) -> Step<Value> {
        let root = self.run()?;
        Ok(self.write(root, 0, &mut Room { values: WRITTEN, bytes: WRITTEN_BYTES }))
    }

    fn fail<T>(&self, why: &'static str) -> Step<T> {
        Err(PickleError { at: self.at, why })
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let Some(taken) = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end)) else {
            return self.fail("it ends early");
        };
        self.at += count;
        Ok(taken)
    }

    /// A little-endian number of `width` bytes.
    fn number(&mut self, width: usize) -> Step<u64> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn sized(&mut self, width: usize) -> Step<&'a [u8]> {
        match usize::try_from(self.number(width)?) {
            Ok(size) => self.take(size),
            Err(_) => self.fail("a size beyond memory"),
        }
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let Some(end) = memchr::memchr(b'\n', rest) else { return self.fail("it ends early") };
        self.at += end + 1;
        Ok(std::str::from_utf8(&rest[..end]).unwrap_or_default())
    }

    fn push(&mut self, node: Node) -> Step<()> {
        if self.nodes.len() >= NODES {
            return self.fail("more than 100,000 values");
        }
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    fn plain(&mut self, value: impl Into<Value>) -> Step<()> {
        self.push(Node::Plain(value.into()))
    }

    fn text(&mut self, bytes: &[u8]) -> Step<()> {
        self.plain(String::from_utf8_lossy(bytes).into_owned())
    }

    fn pop(&mut self) -> Step<usize> {
        match self.stack.pop() {
            Some(node) => Ok(node),
            None => self.fail("an operand is missing"),
        }
    }

    fn top(&self) -> Step<usize> {
        self.stack.last().copied().ok_or(PickleError { at: self.at, why: "an operand is missing" })
    }

    /// What lies above the last mark.
    fn marked(&mut self) -> Step<Vec<usize>> {
        let Some(mark) = self.marks.pop().filter(|mark| *mark <= self.stack.len()) else {
            return self.fail("a mark is missing");
        };
        Ok(self.stack.split_off(mark))
    }

    fn memoize(&mut self, key: u64) -> Step<()> {
        let node = self.top()?;
        self.memo.insert(key, node);
        if self.memo.len() > NODES { self.fail("more than 100,000 memos") } else { Ok(()) }
    }

    fn recall(&mut self, key: u64) -> Step<()> {
        let Some(node) = self.memo.get(&key) else { return self.fail("an unknown memo") };
        self.stack.push(*node);
        if self.stack.len() > NODES {
            return self.fail("more than 100,000 values");
        }
        Ok(())
    }

    /// A list or tuple of these parts.
    fn list(&mut self, parts: Vec<usize>) -> Step<()> {
        self.make_places(parts.len())?;
        self.push(Node::List(parts))
    }

    fn make_places(&mut self, count: usize) -> Step<()> {
        self.parts += count;
        if self.parts > NODES { self.fail("more than 100,000 values") } else { Ok(()) }
    }

    fn extend(&mut self, parts: Vec<usize>) -> Step<()> {
        self.make_places(parts.len())?;
        let target = self.top()?;
        if let Node::List(list) = &mut self.nodes[target] {
            list.extend(parts);
        }
        Ok(())
    }

    fn insert(&mut self, parts: &[usize]) -> Step<()> {
        self.make_places(parts.len())?;
        let target = self.top()?;
        if let Node::Dict(dict) = &mut self.nodes[target] {
            dict.extend(parts.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        }
        Ok(())
    }

    /// Replaces the last `count` operands by something that is not looked into.
    fn opaque(&mut self, count: usize) -> Step<()> {
        for _ in 0..count {
            self.pop()?;
        }
        self.push(Node::Opaque)
    }

    fn class(&mut self, name: &str) -> Step<()> {
        self.push(if self.keeps_classes { Node::Class(cut(name, NAME).to_owned()) } else { Node::Opaque })
    }

    fn run(&mut self) -> Step<usize> {
        loop {
            let opcode = self.take(1)?[0];
            match opcode {
                b'.' => return self.pop(),
                _ => self.step(opcode)?,
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // PROTO, FRAME
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            // MARK, POP, POP_MARK, DUP
            b'(' => {
                self.marks.push(self.stack.len());
                if self.marks.len() > NODES { self.fail("more than 100,000 marks") } else { Ok(()) }
            }
            b'0' => self.pop().map(drop),
            b'1' => self.marked().map(drop),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                if self.stack.len() > NODES { self.fail("more than 100,000 values") } else { Ok(()) }
            }
            // NONE, NEWTRUE, NEWFALSE
            b'N' => self.plain(Value::Null),
            0x88 => self.plain(true),
            0x89 => self.plain(false),
            b'I' | b'L' | b'F' => self.number_line(opcode),
            // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
            b'J' => {
                let number = self.take(4)?;
                self.plain(i32::from_le_bytes(number.try_into().expect("four bytes were taken")))
            }
            b'K' => self.number(1).and_then(|number| self.plain(number)),
            b'M' => self.number(2).and_then(|number| self.plain(number)),
            0x8a => self.sized(1).map(long).and_then(|number| self.plain(number)),
            0x8b => self.sized(4).map(long).and_then(|number| self.plain(number)),
            b'G' => {
                let number = self.take(8)?;
                self.plain(f64::from_be_bytes(number.try_into().expect("eight bytes were taken")))
            }
            _ => self.step_text(opcode),
        }
    }

    /// INT, LONG and FLOAT: a line of text. `01` and `00` are booleans.
    fn number_line(&mut self, opcode: u8) -> Step<()> {
        let line = self.line()?.trim_end_matches('L');
        match (opcode, line) {
            (b'I', "01") => self.plain(true),
            (b'I', "00") => self.plain(false),
            (b'F', _) => self.plain(line.parse::<f64>().unwrap_or_default()),
            _ => match line.parse::<i64>() {
                Ok(number) => self.plain(number),
                Err(_) => self.text(line.as_bytes()),
            },
        }
    }

    fn step_text(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // STRING, UNICODE: a line; the others: a size and bytes
            b'S' => {
                let line = self.line()?;
                let text = line.trim_matches(['\'', '"']);
                self.text(text.as_bytes())
            }
            b'V' => self.line().and_then(|line| self.text(line.as_bytes())),
            b'T' | b'B' | b'X' => self.sized(4).and_then(|bytes| self.text(bytes)),
            b'U' | b'C' | 0x8c => self.sized(1).and_then(|bytes| self.text(bytes)),
            0x8d | 0x8e | 0x96 => self.sized(8).and_then(|bytes| self.text(bytes)),
            _ => self.step_container(opcode),
        }
    }

    fn step_container(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // EMPTY_LIST, EMPTY_TUPLE, EMPTY_SET, EMPTY_DICT
            b']' | b')' | 0x8f => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            // LIST, TUPLE, FROZENSET
            b'l' | b't' | 0x91 => self.marked().and_then(|parts| self.list(parts)),
            // TUPLE1, TUPLE2, TUPLE3
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let Some(from) = self.stack.len().checked_sub(count) else {
                    return self.fail("an operand is missing");
                };
                let parts = self.stack.split_off(from);
                self.list(parts)
            }
            // APPEND; APPENDS, ADDITEMS
            b'a' => self.pop().and_then(|part| self.extend(vec![part])),
            b'e' | 0x90 => self.marked().and_then(|parts| self.extend(parts)),
            // DICT, SETITEM, SETITEMS
            b'd' => {
                let parts = self.marked()?;
                self.push(Node::Dict(Vec::new()))?;
                self.insert(&parts)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(&[key, value])
            }
            b'u' => self.marked().and_then(|parts| self.insert(&parts)),
            _ => self.step_memo(opcode),
        }
    }

    fn step_memo(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // PUT, BINPUT, LONG_BINPUT, MEMOIZE
            b'p' => {
                self.line().map(|line| line.parse().unwrap_or_default()).and_then(|key| self.memoize(key))
            }
            b'q' => self.number(1).and_then(|key| self.memoize(key)),
            b'r' => self.number(4).and_then(|key| self.memoize(key)),
            0x94 => self.memoize(self.memo.len() as u64),
            // GET, BINGET, LONG_BINGET
            b'g' => self.line().map(|line| line.parse().unwrap_or_default()).and_then(|key| self.recall(key)),
            b'h' => self.number(1).and_then(|key| self.recall(key)),
            b'j' => self.number(4).and_then(|key| self.recall(key)),
            _ => self.step_code(opcode),
        }
    }

    /// What would import or call something: its operands are taken away, and
    /// nothing is done.
    fn step_code(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // GLOBAL: two lines
            b'c' => {
                self.line()?;
                let name = self.line()?;
                self.class(name)
            }
            // STACK_GLOBAL; REDUCE, NEWOBJ; NEWOBJ_EX; BUILD
            0x93 => {
                let (name, _module) = (self.pop()?, self.pop()?);
                match &self.nodes[name] {
                    Node::Plain(Value::String(name)) => {
                        let name = cut(name, NAME).to_owned();
                        self.class(&name)
                    }
                    _ => self.push(Node::Opaque),
                }
            }
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                match &self.nodes[callee] {
                    Node::Class(name) => {
                        let made = Node::Made(name.clone(), arguments);
                        self.push(made)
                    }
                    _ => self.push(Node::Opaque),
                }
            }
            0x92 => self.opaque(3),
            b'b' => self.pop().map(drop),
            // INST, OBJ
            b'i' => {
                self.line()?;
                self.line()?;
                self.marked()?;
                self.push(Node::Opaque)
            }
            b'o' => {
                self.marked()?;
                self.push(Node::Opaque)
            }
            // PERSID, BINPERSID
            b'P' => {
                self.line()?;
                self.push(Node::Opaque)
            }
            b'Q' => self.opaque(1),
            // EXT1, EXT2, EXT4
            0x82 => self.take(1).and_then(|_| self.push(Node::Opaque)),
            0x83 => self.take(2).and_then(|_| self.push(Node::Opaque)),
            0x84 => self.take(4).and_then(|_| self.push(Node::Opaque)),
            // NEXT_BUFFER, READONLY_BUFFER
            0x97 => self.push(Node::Opaque),
            0x98 => Ok(()),
            _ => self.fail("an unknown opcode"),
        }
    }

    fn write(&self, node: usize, depth: usize, room: &mut Room) -> Value {
        if depth > DEPTH || room.values == 0 {
            return Value::Null;
        }
        room.values -= 1;
        match &self.nodes[node] {
            Node::Plain(Value::String(text)) => match room.bytes.checked_sub(text.len()) {
                Some(rest) => {
                    room.bytes = rest;
                    text.as_str().into()
                }
                None => Value::Null,
            },
            Node::Plain(value) => value.clone(),
            Node::Opaque | Node::Class(_) => Value::Null,
            Node::Made(name, arguments) => {
                let arguments = self.write(*arguments, depth + 1, room);
                json!({"exc_type": name, "exc_message": arguments})
            }
            Node::List(parts) => {
                let mut list = Vec::new();
                for part in parts {
                    if room.values == 0 {
                        break;
                    }
                    list.push(self.write(*part, depth + 1, room));
                }
                Value::Array(list)
            }
            Node::Dict(pairs) => {
                let mut map = Map::new();
                for (key, value) in pairs {
                    if room.values == 0 {
                        break;
                    }
                    let key = match &self.nodes[*key] {
                        // A tuple, say. No carrier has such a key, and writing it out as
                        // a text, quotes within quotes, doubles it with each level.
                        Node::List(_) | Node::Dict(_) | Node::Opaque | Node::Class(_) | Node::Made(..) => {
                            format!("({key})")
                        }
                        Node::Plain(_) => match self.write(*key, depth + 1, room) {
                            Value::String(key) => key,
                            other => other.to_string(),
                        },
                    };
                    map.insert(key, self.write(*value, depth + 1, room));
                }
                Value::Object(map)
            }
        }
    }
}

/// A little-endian, signed number of any length; what does not fit is null.
fn long(bytes: &[u8]) -> Value {
    let Some(last) = bytes.last() else { return 0.into() };
    if bytes.len() > 8 {
        return Value::Null;
    }
    let mut number = if last & 0x80 == 0 { [0; 8] } else { [0xff; 8] };
    number[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(number).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `pickle.dumps((['o1', {'quantity': 2, 'paid': True}], {'carrier': {'traceparent': '00-a'}}), protocol)`
    const PROTOCOL_2: &[u8] = b"\x80\x02]q\x00(X\x02\x00\x00\x00o1q\x01}q\x02(X\x08\x00\x00\x00quantityq\x03K\x02X\x04\x00\x00\x00paidq\x04\x88ue}q\x05X\x07\x00\x00\x00carrierq\x06}q\x07X\x0b\x00\x00\x00traceparentq\x08X\x04\x00\x00\x0000-aq\tss\x86q\n.";
    const PROTOCOL_0: &[u8] = b"((lp0\nVo1\np1\na(dp2\nVquantity\np3\nI2\nsVpaid\np4\nI01\nsa(dp5\nVcarrier\np6\n(dp7\nVtraceparent\np8\nV00-a\np9\nsstp10\n.";

    #[test]
    fn plain_values_are_built() {
        let expected = json!([["o1", {"quantity": 2, "paid": true}], {"carrier": {"traceparent": "00-a"}}]);
        assert_eq!(walk(PROTOCOL_2), Ok(expected.clone()));
        assert_eq!(walk(PROTOCOL_0), Ok(expected));
    }

    #[test]
    fn nothing_is_called() {
        // os.system('echo hello')
        let hostile = b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x8c\x06system\x93\x8c\necho hello\x85R.";
        assert_eq!(walk(hostile), Ok(Value::Null));
    }

    #[test]
    fn an_exception_is_named_and_not_made() {
        // pickle.dumps({"result": NotRegistered("x.y")}, 4)
        let failed =
            b"\x80\x04}\x8c\x06result\x8c\x11celery.exceptions\x8c\x0dNotRegistered\x93\x8c\x03x.y\x85Rs.";
        let expected = json!({"result": {"exc_type": "NotRegistered", "exc_message": ["x.y"]}});
        assert_eq!(walk_result(failed), Ok(expected));
        assert_eq!(walk(failed), Ok(json!({"result": null})));
    }

    #[test]
    fn every_truncation_is_an_error() {
        for end in 0..PROTOCOL_2.len() {
            assert!(walk(&PROTOCOL_2[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn depth_and_doubling_are_bounded() {
        let mut deep = vec![b']'; 90_000];
        deep.extend(std::iter::repeat_n(b'a', 89_999));
        deep.push(b'.');
        assert!(walk(&deep).is_ok());
        // A list that holds the one before it twice, sixty times over.
        let mut doubling = b"]".to_vec();
        for _ in 0..60 {
            doubling.extend_from_slice(b"2\x86");
        }
        doubling.push(b'.');
        assert!(walk(&doubling).is_ok());
    }

    #[test]
    fn a_long_text_that_is_shared_is_not_written_out_without_end() {
        let text = vec![b'x'; 1 << 20];
        let size = u32::try_from(text.len()).expect("short").to_le_bytes();
        let shared = [b"](X", &size[..], &text, b"q\0", &b"h\0".repeat(50_000), b"e."].concat();
        let Ok(Value::Array(list)) = walk(&shared) else { panic!("a list") };
        let bytes: usize = list.iter().filter_map(Value::as_str).map(str::len).sum();
        assert_eq!(bytes, WRITTEN_BYTES);
    }

    #[test]
    fn keys_within_keys_do_not_double_their_quotes() {
        let mut nested = b"X\x01\0\0\0k".to_vec();
        for _ in 0..60 {
            nested = [b"}(", &nested[..], b"Nu"].concat();
        }
        nested.push(b'.');
        let written = walk(&nested).expect("a dict").to_string();
        assert!(written.len() < 100, "{} bytes", written.len());
        let keys = walk(b"}(K\x01Nu(K\x02K\x03\x86Nu.").expect("a dict");
        assert_eq!(keys, json!({"1": null, "(5)": null}));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test measures what it waited")]
    fn memos_in_falling_order_cost_no_more_than_others() {
        let memos = (0..90_000_u32).rev().flat_map(|key| [&b"r"[..], &key.to_le_bytes()].concat());
        let pickle: Vec<u8> = b"N".iter().copied().chain(memos).chain(*b".").collect();
        let began = std::time::Instant::now();
        assert_eq!(walk(&pickle), Ok(Value::Null));
        assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
    }

    #[test]
    fn places_in_containers_are_bounded() {
        let lists =
            [b"(", &b"N"[..], &b"2".repeat(60_000), b"l", b"(", b"N", &b"2".repeat(60_000), b"l."].concat();
        assert!(walk(&lists).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = walk(&bytes);
        }
    }
}
