//! `listen --tui`: its frames with all I/O handed in, the binary in a pseudo-terminal, and
//! the pictures of the README.

mod frames;
mod pictures;
mod pty;
mod real;
mod stage;

#[path = "../../benches/spans/mod.rs"]
mod spans;
