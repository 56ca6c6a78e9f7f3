//! What a process says of itself: its name, the ids that it makes, its clock.

/// Mends TL602: in the environment of each program.
pub const SERVICE_NAME: [&str; 1] =
    ["OTEL_SERVICE_NAME=<name>                 # one for the API, another for the worker"];

/// Mends TL601: in the environment of each program.
pub const SERVICE_NAMES: [&str; 2] = [
    "OTEL_SERVICE_NAME=<api>                  # in the API's environment",
    "OTEL_SERVICE_NAME=<worker>               # in the worker's; and one set_tracer_provider a program",
];

/// Mends TL901: in the program that makes the ids.
pub const NO_SEED_BEFORE_A_FORK: [&str; 1] =
    ["grep -rnE 'random\\.seed|IdGenerator' .   # a seed before a fork: ids come again"];

/// Mends TL902: on both machines.
pub const SET_THE_CLOCKS: [&str; 1] = ["chronyc tracking                         # on both machines"];
