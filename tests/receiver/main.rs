//! The receiver's ports, with clients that are not its own code: the SDKs of
//! Python and JavaScript, gRPC's own client and `requests`, tonic and hyper, raw
//! sockets.
//!
//! OTLP's demands on a receiver
//! (<https://opentelemetry.io/docs/specs/otlp/>), and the tests that hold it to
//! them over each transport (G: gRPC, H: HTTP). `listen::` is `tests/listen`.
//!
//! 1. Ports and paths: `ports::each_signal_is_taken_over_http_in_both_encodings`,
//!    `ports::each_signal_is_taken_over_grpc_in_each_compression`,
//!    `wire::a_door_by_itself_names_the_usual_port_of_the_other`.
//! 2. None and gzip, per request: `clients::the_python_sdk_…` (G, H),
//!    `clients::the_javascript_sdk_…` (H), `ports::gzip_and_zstd_…` (H); broken:
//!    `wire::broken_compression_is_named_over_both_transports`; unknown:
//!    `wire::an_unknown_grpc_encoding_is_told_what_is_known` (G),
//!    `clients::every_refusal_over_http_…` (H).
//! 3. A limit after decompression: `hostile::a_bomb_is_too_large_and_holds_little`
//!    (G, H), `clients::grpc_s_own_client_reads_every_answer` (without RetryInfo),
//!    `clients::every_refusal_over_http_…`.
//!    For good, however idle it is: `shares::what_never_fits_is_refused_for_good`.
//! 4. Success, the empty request's too: `ports::each_signal_…`,
//!    `clients::grpc_s_own_client_…`, `clients::every_refusal_over_http_…` (`empty`).
//! 5. Partial success: `ports::what_the_inbox_says_is_the_answer`,
//!    `clients::an_sdk_that_is_told_to_wait_…` (not sent again),
//!    `listen::lines::line_9_…` (counts), `listen::lines::line_8_…` (a warning).
//! 6. Retryable or not: `clients::an_sdk_that_is_told_to_wait_…` (G, H),
//!    `hostile::a_full_budget_is_a_matter_of_time` (G, H),
//!    `clients::an_sdk_that_meets_a_full_receiver_loses_nothing` (G, H); as a client:
//!    `forward::a_refusal_for_now_…`, `forward::a_busy_receiver_…`.
//! 7. A `Status` in the request's own type: `clients::every_refusal_over_http_…`.
//! 8. JSON: `clients::the_javascript_sdk_…`, `listen::lines::line_8_…`.
//! 9. Ids of a wrong length, or zero: `listen::lines::line_9_…` (G, H, JSON).
//! 10. and 11. High flags, and a resend: `listen::lines::lines_10_and_11_…` (G, H).
//! 12. Metrics and logs: `ports::each_signal_…` (G, H), `listen::lines::line_12_…`,
//!     `clients::the_python_sdk_s_metrics_and_logs_…` (G, H).
//!
//! Wrong ways in: `ports::each_wrong_way_is_answered_and_told`,
//! `wire::broken_framing_is_named`. Browsers: `ports::a_local_page_may_send`.
//! What was acknowledged is in the report: `listen::ending::…` (G, H),
//! `hostile::closing_loses_nothing_that_was_answered` (H),
//! `wire::closing_lets_a_grpc_call_end_and_takes_no_other` (G).

mod clients;
mod forward;
mod hostile;
mod inbox;
mod ports;
mod shares;
#[path = "../support/mod.rs"]
mod support;
mod wire;
