//! The stack machine that runs a pickle.

use crate::model::Map;

use serde_json::Value;

use super::error::PickleError;
use super::node::{Node, written};
use crate::wire::celery::cursor::{Break, Cursor, Step};
use crate::wire::celery::text::cut;

/// How many nodes a pickle may make, and how many references its containers may hold. A
/// task's body has a few hundred.
const NODES: usize = 100_000;
/// The longest name of a class that is kept, in bytes.
const NAME: usize = 128;

pub struct Machine<'a> {
    cursor: Cursor<'a>,
    nodes: Vec<Node>,
    /// How many references there are in all containers.
    parts: usize,
    stack: Vec<usize>,
    marks: Vec<usize>,
    memo: Map<u64, usize>,
    /// Whether the names of what would be imported are kept.
    keeps_classes: bool,
}

impl<'a> Machine<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::of(bytes),
            nodes: Vec::new(),
            parts: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Map::default(),
            keeps_classes: false,
        }
    }

    /// Keeps the names of classes, to report what a call would create.
    pub fn keeping_classes(self) -> Self {
        Self { keeps_classes: true, ..self }
    }

    /// Runs the program, and writes out the value that it ends with.
    pub fn read(mut self) -> Result<Value, PickleError> {
        let root = self.run().map_err(|Break { at, why }| PickleError { at, why })?;
        Ok(written(&self.nodes, root))
    }

    fn fail<T>(&self, why: &'static str) -> Step<T> {
        self.cursor.fail(why)
    }

    fn sized(&mut self, width: usize) -> Step<&'a [u8]> {
        match usize::try_from(self.cursor.little_endian(width)?) {
            Ok(size) => self.cursor.take(size),
            Err(_) => self.fail("a size beyond memory"),
        }
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
        self.stack.last().copied().ok_or(Break { at: self.cursor.at(), why: "an operand is missing" })
    }

    /// The operands above the last mark.
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

    fn get_memo(&mut self, key: u64) -> Step<()> {
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

    /// Replaces the last `count` operands by an opaque value.
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
            let opcode = self.cursor.byte()?;
            match opcode {
                b'.' => return self.pop(),
                _ => self.step(opcode)?,
            }
        }
    }

    fn step(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // PROTO, FRAME
            0x80 => self.cursor.take(1).map(drop),
            0x95 => self.cursor.take(8).map(drop),
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
                let number = self.cursor.array()?;
                self.plain(i32::from_le_bytes(number))
            }
            b'K' => self.cursor.little_endian(1).and_then(|number| self.plain(number)),
            b'M' => self.cursor.little_endian(2).and_then(|number| self.plain(number)),
            0x8a => self.sized(1).map(long).and_then(|number| self.plain(number)),
            0x8b => self.sized(4).map(long).and_then(|number| self.plain(number)),
            b'G' => {
                let number = self.cursor.array()?;
                self.plain(f64::from_be_bytes(number))
            }
            _ => self.step_text(opcode),
        }
    }

    /// INT, LONG and FLOAT: a line of text. `01` and `00` are booleans.
    fn number_line(&mut self, opcode: u8) -> Step<()> {
        let line = self.cursor.line()?.trim_end_matches('L');
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
                let line = self.cursor.line()?;
                let text = line.trim_matches(['\'', '"']);
                self.text(text.as_bytes())
            }
            b'V' => self.cursor.line().and_then(|line| self.text(line.as_bytes())),
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
            b'p' => self
                .cursor
                .line()
                .map(|line| line.parse().unwrap_or_default())
                .and_then(|key| self.memoize(key)),
            b'q' => self.cursor.little_endian(1).and_then(|key| self.memoize(key)),
            b'r' => self.cursor.little_endian(4).and_then(|key| self.memoize(key)),
            0x94 => self.memoize(self.memo.len() as u64),
            // GET, BINGET, LONG_BINGET
            b'g' => self
                .cursor
                .line()
                .map(|line| line.parse().unwrap_or_default())
                .and_then(|key| self.get_memo(key)),
            b'h' => self.cursor.little_endian(1).and_then(|key| self.get_memo(key)),
            b'j' => self.cursor.little_endian(4).and_then(|key| self.get_memo(key)),
            _ => self.step_code(opcode),
        }
    }

    /// An opcode that would import or call something: its operands are removed, and nothing
    /// is done.
    fn step_code(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // GLOBAL: two lines
            b'c' => {
                self.cursor.line()?;
                let name = self.cursor.line()?;
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
                self.cursor.line()?;
                self.cursor.line()?;
                self.marked()?;
                self.push(Node::Opaque)
            }
            b'o' => {
                self.marked()?;
                self.push(Node::Opaque)
            }
            // PERSID, BINPERSID
            b'P' => {
                self.cursor.line()?;
                self.push(Node::Opaque)
            }
            b'Q' => self.opaque(1),
            // EXT1, EXT2, EXT4
            0x82 => self.cursor.take(1).and_then(|_| self.push(Node::Opaque)),
            0x83 => self.cursor.take(2).and_then(|_| self.push(Node::Opaque)),
            0x84 => self.cursor.take(4).and_then(|_| self.push(Node::Opaque)),
            // NEXT_BUFFER, READONLY_BUFFER
            0x97 => self.push(Node::Opaque),
            0x98 => Ok(()),
            _ => self.fail("an unknown opcode"),
        }
    }
}

/// A little-endian, signed number of any length. If JSON has no number for it, it becomes
/// the text of its digits, as an id of 128 bits does; longer ones become null.
fn long(bytes: &[u8]) -> Value {
    let Some(last) = bytes.last() else { return 0.into() };
    let bytes = if bytes.len() == 17 && *last == 0 { &bytes[..16] } else { bytes };
    if bytes.len() > 16 {
        return Value::Null;
    }
    // A seventeenth byte of zero means that the highest bit is not a sign.
    let is_negative = last & 0x80 != 0;
    let mut number = if is_negative { [0xff; 16] } else { [0; 16] };
    number[..bytes.len()].copy_from_slice(bytes);
    if is_negative {
        return i64::try_from(i128::from_le_bytes(number)).map_or(Value::Null, Value::from);
    }
    let number = u128::from_le_bytes(number);
    u64::try_from(number).map_or_else(|_| number.to_string().into(), Value::from)
}
