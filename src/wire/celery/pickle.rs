//! A pickle, looked at without being loaded.
//!
//! Loading a pickle runs whatever it says. This walks its opcodes instead, as
//! `pickletools.dis` does, and builds the plain values; whatever would import
//! or call something becomes null. The opcodes are those of
//! <https://github.com/python/cpython/blob/main/Lib/pickletools.py>.

use serde_json::{Map, Value};

/// Why a pickle could not be walked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("broken pickle at byte {at}: {why}")]
pub struct PickleError {
    pub at: usize,
    pub why: &'static str,
}

/// How many nodes a pickle may make. A body of a task has a few hundred.
const NODES: usize = 100_000;
/// How many nodes a value may have once shared parts are written out: a list
/// that holds itself twice, thirty times over, is a bomb.
const WRITTEN: usize = 100_000;
/// How deep a value is written out; what lies deeper becomes null.
const DEPTH: usize = 64;

/// Walks a pickle of any protocol, 0 to 5.
///
/// # Errors
///
/// [`PickleError`] where the bytes end early, an operand is missing from the
/// stack, an opcode is unknown, or the pickle makes more than 100,000 nodes.
pub fn walk(bytes: &[u8]) -> Result<Value, PickleError> {
    let mut machine =
        Machine { bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: Vec::new() };
    let root = machine.run()?;
    let mut budget = WRITTEN;
    Ok(machine.write(root, 0, &mut budget))
}

/// Containers refer to their parts by number, so that a shared part is kept once.
enum Node {
    Plain(Value),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    /// Past the plain types: something to import or to call.
    Opaque,
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: Vec<(u64, usize)>,
}

type Step<T> = Result<T, PickleError>;

impl<'a> Machine<'a> {
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
        match self.memo.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => self.memo[place].1 = node,
            Err(place) if self.memo.len() < NODES => self.memo.insert(place, (key, node)),
            Err(_) => return self.fail("more than 100,000 memos"),
        }
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Step<()> {
        match self.memo.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => self.stack.push(self.memo[place].1),
            Err(_) => return self.fail("an unknown memo"),
        }
        if self.stack.len() > NODES {
            return self.fail("more than 100,000 values");
        }
        Ok(())
    }

    fn extend(&mut self, parts: Vec<usize>) -> Step<()> {
        let target = self.top()?;
        if let Node::List(list) = &mut self.nodes[target] {
            list.extend(parts);
        }
        Ok(())
    }

    fn insert(&mut self, parts: &[usize]) -> Step<()> {
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
            b'l' | b't' | 0x91 => self.marked().and_then(|parts| self.push(Node::List(parts))),
            // TUPLE1, TUPLE2, TUPLE3
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let Some(from) = self.stack.len().checked_sub(count) else {
                    return self.fail("an operand is missing");
                };
                let parts = self.stack.split_off(from);
                self.push(Node::List(parts))
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
                self.line()?;
                self.push(Node::Opaque)
            }
            // STACK_GLOBAL, REDUCE, NEWOBJ; NEWOBJ_EX; BUILD
            0x93 | b'R' | 0x81 => self.opaque(2),
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

    fn write(&self, node: usize, depth: usize, budget: &mut usize) -> Value {
        if depth > DEPTH || *budget == 0 {
            return Value::Null;
        }
        *budget -= 1;
        match &self.nodes[node] {
            Node::Plain(value) => value.clone(),
            Node::Opaque => Value::Null,
            Node::List(parts) => {
                let mut list = Vec::new();
                for part in parts {
                    if *budget == 0 {
                        break;
                    }
                    list.push(self.write(*part, depth + 1, budget));
                }
                Value::Array(list)
            }
            Node::Dict(pairs) => {
                let mut map = Map::new();
                for (key, value) in pairs {
                    if *budget == 0 {
                        break;
                    }
                    let key = match self.write(*key, depth + 1, budget) {
                        Value::String(key) => key,
                        other => other.to_string(),
                    };
                    map.insert(key, self.write(*value, depth + 1, budget));
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

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

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = walk(&bytes);
        }
    }
}
