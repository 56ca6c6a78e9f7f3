//! 5xx: the context travelled, and the spans did not leave their process.

mod endpoint;
mod exported_twice;
mod grpc_on_http_port;
mod http_endpoint_with_path;
mod http_endpoint_without_path;
mod http_on_grpc_port;
mod invalid_span;
mod missing_in_process;
mod nothing_received;
mod parent_not_ended;
mod parent_not_exported;
mod unfinished_tasks;

mod missing_sender;
mod spans_dropped;
mod tls_on_plain_port;
mod worker_silent;

pub use exported_twice::EXPORTED_TWICE;
pub use grpc_on_http_port::GRPC_ON_HTTP_PORT;
pub use http_endpoint_with_path::HTTP_ENDPOINT_WITH_PATH;
pub use http_endpoint_without_path::HTTP_ENDPOINT_WITHOUT_PATH;
pub use http_on_grpc_port::HTTP_ON_GRPC_PORT;
pub use invalid_span::INVALID_SPAN;
pub use nothing_received::NOTHING_RECEIVED;
pub use parent_not_ended::PARENT_NOT_ENDED;
pub use parent_not_exported::PARENT_NOT_EXPORTED;
pub use spans_dropped::SPANS_DROPPED;
pub use tls_on_plain_port::TLS_ON_PLAIN_PORT;
pub use worker_silent::WORKER_SILENT;
