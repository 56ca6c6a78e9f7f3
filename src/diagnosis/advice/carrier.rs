//! The form of what lies in the message: where the API publishes it.

/// Mends TL201: where the API writes the header.
pub const NO_HEADER_BY_HAND: [&str; 1] =
    ["propagate.inject(headers)                # instead of a header made by hand"];

/// Mends TL201 where ids are in another form: where the API writes the header.
pub const IDS_IN_HEXADECIMAL: [&str; 1] =
    ["format(ctx.trace_id, \"032x\"), format(ctx.span_id, \"016x\")   # lower case, padded"];

/// Mends TL202: where the API writes the header.
pub const NAMES_IN_LOWER_CASE: [&str; 1] =
    ["propagate.inject(headers)                # writes the names in lower case"];

/// Mends TL203: where the API publishes.
pub const NOT_IN_ARGUMENTS: [&str; 1] =
    ["task.apply_async(args, headers=carrier)  # in the headers, not among the arguments"];

/// Mends TL204: where the API publishes.
pub const NOT_IN_PROPERTIES: [&str; 1] =
    ["task.apply_async(args, headers=carrier)  # not apply_async(args, **carrier)"];

/// Mends TL205: where the API publishes.
pub const ENCODED_ONCE: [&str; 2] = [
    "headers = {\"trace_context\": json.dumps(carrier)}   # once, for a reader that calls json.loads",
    "task.apply_async(args, headers=carrier)  # or flat, for propagate.extract(self.request.headers)",
];

/// Mends TL207: where the API publishes.
pub const NOT_NESTED: [&str; 1] =
    ["task.apply_async(args, headers=carrier)  # flat, not headers={\"headers\": carrier}"];

/// Mends TL208: on the side that publishes.
pub const ONE_OWNER: [&str; 1] =
    ["one owner for propagation: the instrumentor or the hand-made header, not both"];

/// Mends TL303: where the API publishes.
pub const FLAT: [&str; 3] = [
    "headers = {}",
    "propagate.inject(headers)",
    "task.apply_async(args, headers=headers)  # flat; or CeleryInstrumentor().instrument() in the API",
];
