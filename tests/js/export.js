// The real OpenTelemetry SDK for JavaScript as a client: `export.js URL none|gzip`.
//
// Sends a small tree as OTLP/JSON, and prints as JSON what became of it and
// what the spans are, for the receiver's reading to be compared with.
'use strict';

const { context, diag, trace, ROOT_CONTEXT, SpanKind, SpanStatusCode } = require('@opentelemetry/api');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor, TracerProvider } = require('@opentelemetry/sdk-trace');

const [url, compression] = process.argv.slice(2);
const complaints = [];
const complain = (text, error) => complaints.push([text, error && String(error)].filter(Boolean).join(' '));
const ignore = () => {};
diag.setLogger({ error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore });

const exporter = new OTLPTraceExporter({ url, compression, timeoutMillis: 20000 });
const results = [];
const send = exporter.export.bind(exporter);
exporter.export = (spans, done) =>
  send(spans, result => {
    results.push(result.code);
    done(result);
  });

const ended = [];
const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'js-client', 'service.instance.id': 'js-1', 'a.list': ['x', 'y'] }),
  spanProcessors: [
    { onStart: ignore, onEnd: span => ended.push(span), shutdown: async () => {}, forceFlush: async () => {} },
    new BatchSpanProcessor({ exporter }),
  ],
});

const tracer = provider.getTracer('tracelink-test', '1.2.3');
const root = tracer.startSpan('POST /orders', {
  kind: SpanKind.SERVER,
  attributes: { 'http.method': 'POST', 'http.status_code': 500, ratio: 0.5, whole: 2.0, yes: true, 'a.list': [1, 2] },
});
const inside = trace.setSpan(ROOT_CONTEXT, root);
const producer = tracer.startSpan(
  'apply_async/process_order',
  {
    kind: SpanKind.PRODUCER,
    attributes: { 'messaging.message.id': 'task-1', 'celery.task_name': 'process_order', 'celery.action': 'apply_async' },
  },
  inside,
);
producer.end();
// The parent came from elsewhere, over a carrier.
const remote = trace.setSpanContext(ROOT_CONTEXT, { ...producer.spanContext(), isRemote: true });
const consumer = tracer.startSpan(
  'run/process_order ✓',
  { kind: SpanKind.CONSUMER, links: [{ context: root.spanContext(), attributes: { why: 'test' } }] },
  remote,
);
consumer.recordException(new TypeError('a "quoted" thing\nbroke'));
consumer.setStatus({ code: SpanStatusCode.ERROR, message: 'it broke' });
consumer.end();
tracer.startSpan('client', { kind: SpanKind.CLIENT }, inside).end();
tracer.startSpan('internal', {}, inside).end();
root.end();

const nanos = ([seconds, rest]) => (BigInt(seconds) * 1000000000n + BigInt(rest)).toString();

provider
  .forceFlush()
  .then(() => provider.shutdown())
  .catch(error => complain('flush', error))
  .then(() =>
    console.log(
      JSON.stringify({
        results,
        complaints,
        spans: ended.map(span => ({
          trace: span.spanContext().traceId,
          span: span.spanContext().spanId,
          parent: span.parentSpanContext ? span.parentSpanContext.spanId : null,
          remote: Boolean(span.parentSpanContext && span.parentSpanContext.isRemote),
          kind: SpanKind[span.kind].toLowerCase(),
          name: span.name,
          start: nanos(span.startTime),
          end: nanos(span.endTime),
          error: span.status.code === SpanStatusCode.ERROR,
        })),
      }),
    ),
  );
