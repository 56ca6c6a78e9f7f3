//! Small sources: each way to name what is not for a room is found, and what
//! only looks like one is not.

use crate::circles::circles;
use crate::source::Sources;
use crate::{floors, world};

fn parse(files: &[(&str, &str)]) -> Sources {
    Sources::parse([("lib.rs", "")].iter().chain(files).copied())
}

/// What is said of the floors, of a file among others.
fn floors_of(files: &[(&str, &str)]) -> Vec<String> {
    floors::complaints(&parse(files))
}

/// What is said of a file of a room that meets nothing.
fn world_of(source: &str) -> Vec<String> {
    world::complaints(&parse(&[("evidence/spans.rs", source)]))
}

#[test]
fn each_way_to_point_up_is_found() {
    for source in [
        "use crate::receiver::Receiver;",
        "use crate::receiver;",
        "use crate::receiver::*;",
        "use crate::{model::Span, receiver::Receiver};",
        "use crate::{model, receiver as other};",
        "use crate::receiver as other; fn f() { other::open() }",
        "use super::super::receiver::Receiver;",
        "use super::{super::receiver::{self, Receiver}, names};",
        "pub use crate::receiver::Receiver;",
        "pub(crate) use crate::receiver::Receiver;",
        "fn f() { use crate::receiver::open; }",
        "fn f() { crate::receiver::open() }",
        "fn f() { super::super::receiver::open() }",
        "fn f(given: &crate::receiver::Receiver) {}",
        "fn f() -> Vec<Option<crate::receiver::Receiver>> { Vec::new() }",
        "impl crate::receiver::Inbox for Spans {}",
        "fn f(value: u8) -> bool { matches!(value, crate::receiver::LEAST..) }",
        "fn f() { assert!(vec![1].contains(&crate::receiver::open())); }",
        "fn f() { crate::receiver::refuse!() }",
        "macro_rules! m { () => { $crate::receiver::open() } }",
        "#[serde(with = \"crate::receiver::text\")] struct Spans;",
        "mod inner { use super::super::super::receiver::Receiver; }",
        "use tracelink::receiver::Receiver;",
    ] {
        let files = [
            ("evidence/spans.rs", source),
            ("receiver/mod.rs", "pub struct Receiver; pub fn open() {}"),
            ("model.rs", "pub struct Span;"),
        ];
        assert_eq!(floors_of(&files).len().min(1), 1, "{source}");
    }
}

#[test]
fn what_points_down_or_says_nothing_is_passed() {
    for source in [
        "use crate::model::Span;",
        "use crate::{model::{Span, Id}, evidence::names};",
        "use super::names::Names; use self::inner::Inner; mod inner { pub struct Inner; }",
        "// use crate::receiver::Receiver;\n/// See [`crate::receiver::Receiver`].\nfn f() {}",
        "const TEXT: &str = \"crate::receiver::Receiver\";",
        "#[cfg(test)] mod tests { use crate::receiver::Receiver; }",
        "#[cfg(all(test, unix))] use crate::receiver::Receiver;",
        "#[test] fn f() { crate::receiver::open() }",
        "mod receiver { pub fn open() {} } fn f() { receiver::open() }",
        "fn f(receiver: Other) { receiver.open() }",
    ] {
        let files =
            [("evidence/spans.rs", source), ("receiver/mod.rs", "pub struct Receiver;"), ("model.rs", "")];
        assert_eq!(floors_of(&files), [""; 0], "{source}");
    }
    assert_eq!(
        floors_of(&[("evidence/mod.rs", "#[cfg(not(test))] use crate::demo;"), ("demo.rs", "")]).len(),
        1
    );
}

#[test]
fn rooms_of_one_floor_and_strangers_are_kept_apart() {
    let diagnosis = ("diagnosis/mod.rs", "pub struct Report;");
    assert_eq!(floors_of(&[("broker/mod.rs", "use crate::bundle::Reader;"), ("bundle.rs", "")]).len(), 1);
    assert_eq!(floors_of(&[("bundle/mod.rs", "use crate::diagnosis::Report;"), diagnosis]).len(), 1);
    assert_eq!(floors_of(&[("live/mod.rs", "use crate::diagnosis::Report;"), diagnosis]).len(), 0);
    assert_eq!(floors_of(&[("live/mod.rs", "use crate::command::say;"), ("command.rs", "")]).len(), 1);
    assert_eq!(floors_of(&[("view/page.rs", "use crate::broker::Connection;"), ("broker.rs", "")]).len(), 1);
    assert_eq!(floors_of(&[("attic/mod.rs", "")]).len(), 1, "it is on no floor");
    let demo = ("demo/mod.rs", "pub struct Order;");
    assert_eq!(floors_of(&[("command/listen.rs", "use crate::demo::Order;"), demo]).len(), 1);
    assert_eq!(floors_of(&[("command/demo/case.rs", "use crate::demo::Order;"), demo]).len(), 0);
}

#[test]
fn the_layers_of_a_room_point_down_too() {
    let files = |rule: &'static str, engine: &'static str| {
        let root = ("diagnosis/mod.rs", "mod engine; mod inject; mod rule; pub use engine::report;");
        let (inject, lost) = (("diagnosis/inject/mod.rs", "mod lost;"), ("diagnosis/inject/lost.rs", ""));
        [root, ("diagnosis/rule.rs", rule), ("diagnosis/engine/mod.rs", engine), inject, lost]
    };
    let judges = "use super::rule::Rule; pub fn report(rule: Rule) {}";
    assert_eq!(floors_of(&files("pub struct Rule;", judges)), [""; 0]);
    for rule in [
        "use super::engine::report;",
        "fn f() { crate::diagnosis::report() }",
        "use crate::diagnosis::inject::lost;",
    ] {
        assert_eq!(floors_of(&files(rule, judges)).len(), 1, "{rule}");
    }
}

/// A room below passes on what is not for a room above it: a re-export is found
/// where it stands, and so is who goes through it.
#[test]
fn a_re_export_hides_nothing() {
    let files = [
        ("model/mod.rs", "pub use crate::command::say as tell;"),
        ("wire/mod.rs", "use crate::model::tell; fn f() { tell() }"),
        ("command/mod.rs", "pub fn say() {}"),
    ];
    let said = floors_of(&files);
    assert!(said.iter().any(|said| said.starts_with("model/mod.rs:1")), "{said:?}");
    assert!(said.iter().any(|said| said.starts_with("wire/mod.rs:1")), "{said:?}");
    // Through a room of the same floor, to what lies below both.
    let files = [
        ("broker/mod.rs", "use crate::bundle::Span;"),
        ("bundle/mod.rs", "pub use crate::model::Span;"),
        ("model/mod.rs", "pub struct Span;"),
    ];
    assert_eq!(floors_of(&files).len(), 1);
    let disk = [("command/mod.rs", "pub use std::fs as disk;"), ("model/id.rs", "use crate::command::disk;")];
    assert_eq!(world::complaints(&parse(&disk)).len(), 1);
}

#[test]
fn each_way_to_the_world_is_found() {
    for source in [
        "use std::fs;",
        "use std::fs::File;",
        "use std::{fs, net};",
        "use std::{io::{self, Read}, net::TcpStream};",
        "use ::std::fs;",
        "use std::fs as disk;",
        "use std::fs::*;",
        "use std::*;",
        "use std::time::*;",
        "use std as s; fn f() { s::fs::read(\"a\") }",
        "use std::{self as s}; fn f() { s::env::args() }",
        "extern crate std as s; fn f() { s::env::args() }",
        "use std::time; fn f() { time::Instant::now() }",
        "use std::time::Instant;",
        "use std::time::SystemTime as Now;",
        "fn f() { std::time::SystemTime::now() }",
        "fn f() -> Option<std::time::Instant> { None }",
        "fn f() { jiff::Timestamp::now() }",
        "use jiff::Timestamp; fn f() { Timestamp::now() }",
        "fn f() { std::env::var(\"HOME\") }",
        "fn f() { core::net::TcpStream::connect(\"a\") }",
        "use std::process;",
        "use std::process::Command;",
        "fn f() { std::process::exit(1) }",
        "use std::thread; fn f() { thread::spawn(|| {}) }",
        "use tokio::sync::mpsc;",
        "fn f() { tokio::select! {} }",
        "use redis::{self, Cmd};",
        "fn f() { <std::fs::File as std::io::Read>::read(file) }",
        "fn f() { println!(\"a\") }",
        "fn f() { eprintln!(\"a\") }",
        "fn f() { print!(\"a\") }",
        "fn f() { eprint!(\"a\") }",
        "fn f() { std::println!(\"a\") }",
        "fn f() { dbg!(1) }",
        "use std::println as say; fn f() { say!(\"a\") }",
        "fn f() { vec![1].iter().for_each(|one| println!(\"{one}\")) }",
        "fn f() { assert!(true, \"{}\", { println!(\"a\"); 1 }) }",
        "macro_rules! say { () => { println!(\"a\") } }",
        "use std::io; fn f() { write!(io::stdout(), \"a\") }",
        "use std::io::stderr;",
        "fn f() { anstream::println!(\"a\") }",
        "fn f() { use std::fs::read; }",
        "mod inner { pub use std::fs; } use inner::fs as disk;",
        "mod inner { fn f() { super::disk::read(\"a\") } } use std::fs as disk;",
        "mod inner { pub use std::net::TcpStream; } use inner::*; fn f(stream: TcpStream) {}",
    ] {
        assert!(!world_of(source).is_empty(), "{source}");
    }
}

#[test]
fn what_only_looks_like_the_world_is_passed() {
    for source in [
        "use std::time::Duration;",
        "use std::io::{self, Read, Write};",
        "use std::net::{IpAddr, SocketAddr};",
        "use std::{collections::BTreeMap, fmt};",
        "// std::fs is for others",
        "/// As `std::fs::read` does, println!(\"a\").\nfn f() {}",
        "const TEXT: &str = \"std::fs::read\";",
        "fn f() { env!(\"CARGO_PKG_VERSION\"); option_env!(\"A\") }",
        "fn f(out: &mut dyn std::fmt::Write) { writeln!(out, \"println!\") }",
        "mod fs { pub fn read() {} } fn f() { fs::read() }",
        "fn f(redis: u8, tokio: u8) -> u8 { redis + tokio }",
        "fn f(clock: Clock) { clock.env.process.fs() }",
        "fn f() { assert!(clock.fs::<u8>() == 1) }",
        "#[cfg(test)] mod tests { use std::fs; #[test] fn f() { println!(\"a\") } }",
        "#[derive(Debug)] struct Instant; fn f() -> Instant { Instant }",
        "struct Store { redis: u8 } fn f() { println() } fn println() {}",
    ] {
        assert_eq!(world_of(source), [""; 0], "{source}");
    }
    // Each where it belongs.
    for (path, source) in [
        ("broker/connection.rs", "use std::net::TcpStream;"),
        ("receiver/mod.rs", "use tokio::net::TcpListener;"),
        ("bundle/read.rs", "use std::fs;"),
        ("command/mod.rs", "fn f() { println!(\"a\") }"),
        ("main.rs", "use std::process::ExitCode;"),
    ] {
        assert_eq!(world::complaints(&parse(&[(path, source)])), [""; 0], "{source}");
    }
    let meets = |path: &str, source: &str| world::complaints(&parse(&[(path, source)])).len();
    assert_eq!(meets("receiver/mod.rs", "fn f() { println!(\"a\") }"), 1);
    assert_eq!(meets("live/session.rs", "fn f() { eprintln!(\"a\") }"), 1);
    assert_eq!(meets("broker/read.rs", "use std::fs;"), 1);
    assert_eq!(meets("cli/mod.rs", "use std::env;"), 1);
}

/// The files of each circle.
fn circles_of(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    circles(&parse(files)).into_iter().map(|circle| circle.files).collect()
}

#[test]
fn files_that_depend_on_each_other_are_found() {
    let mod_rs = ("wire/mod.rs", "mod a; mod b; mod c; pub use a::A; pub use b::B; pub use c::C;");
    for (a, b, c) in [
        ("use super::b::B; pub struct A;", "use super::a::A; pub struct B;", "pub struct C;"),
        ("use super::B; pub struct A;", "use super::A; pub struct B;", "pub struct C;"),
        ("use crate::wire::{B}; pub struct A;", "pub struct B(super::A);", "pub struct C;"),
        ("use super::*; pub struct A(B);", "pub struct B; fn f() { crate::wire::A }", "pub struct C;"),
        ("pub struct A(super::b::B);", "pub struct B(super::c::C);", "pub struct C(super::a::A);"),
        (
            "pub struct A; fn f() { dbg(super::B) }",
            "pub struct B; fn f() { vec![super::A] }",
            "pub struct C;",
        ),
    ] {
        let files = [mod_rs, ("wire/a.rs", a), ("wire/b.rs", b), ("wire/c.rs", c)];
        let found = circles_of(&files);
        assert_eq!(found.len(), 1, "{a} {b} {c}: {found:?}");
        assert!(!found[0].contains(&"wire/mod.rs".to_owned()), "it only passes on: {found:?}");
    }
}

#[test]
fn a_module_with_code_of_its_own_is_a_file_like_any_other() {
    let child = ("wire/a.rs", "use super::Limits; pub fn read(limits: Limits) {}");
    let uses_it = ("wire/mod.rs", "mod a; pub use a::read; pub struct Limits; fn f() { read(Limits) }");
    assert_eq!(circles_of(&[uses_it, child]), [["wire/mod.rs", "wire/a.rs"]]);
    let by_its_path = ("wire/mod.rs", "mod a; pub struct Limits; fn f() { a::read(Limits) }");
    assert_eq!(circles_of(&[by_its_path, child]).len(), 1);
    let passes_on = ("wire/mod.rs", "mod a; pub use a::read; pub struct Limits;");
    assert_eq!(circles_of(&[passes_on, child]).len(), 0);
}

#[test]
fn files_of_which_one_needs_the_other_are_no_circle() {
    for (a, b) in [
        ("use super::b::B; pub struct A;", "pub struct B;"),
        (
            "use super::b::B; pub struct A;",
            "#[cfg(test)] mod tests { use super::super::a::A; } pub struct B;",
        ),
        ("use super::b::B; pub struct A;", "pub struct B; #[cfg(test)] use super::*;"),
        ("use super::b::B; pub struct A;", "/// Unlike [`super::a::A`].\npub struct B;"),
        ("use super::b; fn f() -> b::B { b::B } pub struct A;", "pub struct B { a: u8 }"),
        ("pub(in super::b) struct A;", "use super::a::A; pub struct B;"),
    ] {
        let files = [("wire/mod.rs", "mod a; mod b;"), ("wire/a.rs", a), ("wire/b.rs", b)];
        assert_eq!(circles_of(&files), [[""; 0]; 0], "{a} {b}");
    }
    // A file of tests is its own affair.
    let files = [
        ("wire/mod.rs", "pub struct A; #[cfg(test)] mod tests;"),
        ("wire/tests.rs", "use super::*; use crate::demo::Demo;"),
    ];
    assert_eq!(circles_of(&files), [[""; 0]; 0]);
    assert_eq!(floors_of(&files), [""; 0]);
}
