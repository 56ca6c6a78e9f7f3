#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tracelink::fuzzing::contexts(bytes));
