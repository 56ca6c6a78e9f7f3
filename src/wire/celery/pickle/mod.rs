//! A pickle, looked at without being loaded.
//!
//! Loading a pickle runs whatever it says. This walks its opcodes instead, as
//! `pickletools.dis` does, and builds the plain values. Anything that would import or call
//! something becomes null. The opcodes are those of
//! <https://github.com/python/cpython/blob/main/Lib/pickletools.py>.
//!
//! It is written by hand because `serde-pickle` recurses: a nested list overflows
//! its stack, and the process ends with it.

mod error;
mod machine;
mod node;

use serde_json::Value;

pub use self::error::PickleError;
use self::machine::Machine;

/// Walks a pickle of any protocol, 0 to 5.
///
/// # Errors
///
/// [`PickleError`] if the bytes end early, an operand is missing from the stack, an opcode
/// is unknown, or the pickle makes more than 100,000 nodes. Text beyond 16 MiB is left out
/// when the value is written.
pub fn walk(bytes: &[u8]) -> Result<Value, PickleError> {
    Machine::of(bytes).read()
}

/// The same for a result that may hold an exception. A class with its arguments becomes
/// `{"exc_type": …, "exc_message": […]}`, as Celery writes an exception without pickle.
///
/// # Errors
///
/// As [`walk`].
pub fn walk_result(bytes: &[u8]) -> Result<Value, PickleError> {
    Machine::of(bytes).keeping_classes().read()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::node::WRITTEN_BYTES;
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
        // A list that holds the previous one twice, sixty times over.
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
