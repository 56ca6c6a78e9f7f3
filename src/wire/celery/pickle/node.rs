//! The values that a pickle makes, and how they are written out.

use serde_json::{Map, Value, json};

/// How many nodes a value may have once shared parts are written out: a list that holds
/// itself twice, thirty times over, is a bomb.
const WRITTEN: usize = 100_000;
/// How many bytes of text it may have then: a long text, held a hundred thousand times by a
/// list, is a bomb too.
pub const WRITTEN_BYTES: usize = 16 << 20;
/// How deep a value is written out; what lies deeper becomes null.
const DEPTH: usize = 64;

/// Containers refer to their parts by number, so that a shared part is kept once.
pub enum Node {
    Plain(Value),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
    /// Not a plain type: something to import or to call.
    Opaque,
    /// The name of something to import.
    Class(String),
    /// What a call of this name with these arguments would create.
    Made(String, usize),
}

/// The value of the node `root`, with shared parts written out: at most 100,000 values and
/// 16 MiB of text. The rest is left out.
pub fn written(nodes: &[Node], root: usize) -> Value {
    write(nodes, root, 0, &mut Room { values: WRITTEN, bytes: WRITTEN_BYTES })
}

/// How much may still be written.
struct Room {
    values: usize,
    bytes: usize,
}

fn write(nodes: &[Node], node: usize, depth: usize, room: &mut Room) -> Value {
    if depth > DEPTH || room.values == 0 {
        return Value::Null;
    }
    room.values -= 1;
    match &nodes[node] {
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
            let arguments = write(nodes, *arguments, depth + 1, room);
            json!({"exc_type": name, "exc_message": arguments})
        }
        Node::List(parts) => {
            let mut list = Vec::new();
            for part in parts {
                if room.values == 0 {
                    break;
                }
                list.push(write(nodes, *part, depth + 1, room));
            }
            Value::Array(list)
        }
        Node::Dict(pairs) => {
            let mut map = Map::new();
            for (key, value) in pairs {
                if room.values == 0 {
                    break;
                }
                let key = match &nodes[*key] {
                    // A tuple, say. No carrier has such a key, and writing it as a text
                    // would double it at each level, because of quotes within quotes.
                    Node::List(_) | Node::Dict(_) | Node::Opaque | Node::Class(_) | Node::Made(..) => {
                        format!("({key})")
                    }
                    Node::Plain(_) => match write(nodes, *key, depth + 1, room) {
                        Value::String(key) => key,
                        other => other.to_string(),
                    },
                };
                map.insert(key, write(nodes, *value, depth + 1, room));
            }
            Value::Object(map)
        }
    }
}
