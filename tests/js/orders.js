// An API in JavaScript that hands its orders to a Celery worker: `orders.js`.
//
// It is traced by the OpenTelemetry SDK for JavaScript, which sends OTLP/JSON to
// OTEL_EXPORTER_OTLP_ENDPOINT, and publishes what Celery's protocol 2 asks for
// into the Redis of BROKER. API_PROPAGATOR says in which format it injects:
// tracecontext or b3multi. It listens at PORT for POST /orders?order=N.
'use strict';

const { randomUUID } = require('node:crypto');
const http = require('node:http');
const net = require('node:net');
const { propagation, trace, ROOT_CONTEXT, SpanKind } = require('@opentelemetry/api');
const { W3CTraceContextPropagator } = require('@opentelemetry/core');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-http');
const { B3InjectEncoding, B3Propagator } = require('@opentelemetry/propagator-b3');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchSpanProcessor, TracerProvider } = require('@opentelemetry/sdk-trace');

const TASK = 'shop.orders.process';
const QUEUE = 'celery';
const ORIGIN = `gen${process.pid}@js`;

propagation.setGlobalPropagator(
  {
    tracecontext: () => new W3CTraceContextPropagator(),
    b3multi: () => new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER }),
  }[process.env.API_PROPAGATOR || 'tracecontext'](),
);
const provider = new TracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'shop-api', 'service.instance.id': randomUUID() }),
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), scheduledDelayMillis: 300 })],
});
const tracer = provider.getTracer('shop');

// Redis' protocol, as far as publishing needs it.
const broker = new URL(process.env.BROKER);
function redis(...commands) {
  const parts = commands.map(
    command => `*${command.length}\r\n${command.map(part => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`,
  );
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(broker.port), broker.hostname, () => socket.write(parts.join('')));
    let answers = '';
    socket.on('error', reject);
    socket.on('data', data => {
      answers += data;
      if (answers.split('\r\n').length > commands.length) {
        socket.destroy();
        answers.includes('-') ? reject(new Error(answers)) : resolve();
      }
    });
  });
}

function message(id, order, headers) {
  const args = [order];
  const embed = { callbacks: null, errbacks: null, chain: null, chord: null };
  return JSON.stringify({
    body: Buffer.from(JSON.stringify([args, {}, embed])).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: {
      lang: 'js',
      task: TASK,
      id,
      shadow: null,
      eta: null,
      expires: null,
      group: null,
      group_index: null,
      retries: 0,
      timelimit: [null, null],
      root_id: id,
      parent_id: null,
      argsrepr: `[${order}]`,
      kwargsrepr: '{}',
      origin: ORIGIN,
      ignore_result: false,
      ...headers,
    },
    properties: {
      correlation_id: id,
      reply_to: randomUUID(),
      delivery_mode: 2,
      delivery_info: { exchange: '', routing_key: QUEUE },
      priority: 0,
      body_encoding: 'base64',
      delivery_tag: randomUUID(),
    },
  });
}

async function publish(order, parent) {
  const id = randomUUID();
  const attributes = {
    'messaging.system': 'celery',
    'messaging.operation.type': 'send',
    'messaging.destination.name': QUEUE,
    'messaging.message.id': id,
  };
  const span = tracer.startSpan(`send ${TASK}`, { kind: SpanKind.PRODUCER, attributes }, parent);
  const headers = {};
  propagation.inject(trace.setSpan(parent, span), headers);
  const binding = `${QUEUE}\x06\x16\x06\x16${QUEUE}`;
  await redis(
    ['SADD', `_kombu.binding.${QUEUE}`, binding],
    ['LPUSH', QUEUE, message(id, order, headers)],
  );
  span.end();
  return id;
}

const server = http.createServer(async (request, response) => {
  const order = Number(new URL(request.url, 'http://localhost').searchParams.get('order'));
  const attributes = { 'http.request.method': request.method, 'url.path': '/orders', 'http.route': '/orders' };
  const span = tracer.startSpan('POST /orders', { kind: SpanKind.SERVER, attributes }, ROOT_CONTEXT);
  try {
    const id = await publish(order, trace.setSpan(ROOT_CONTEXT, span));
    span.setAttribute('http.response.status_code', 200);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id }));
  } catch (error) {
    span.recordException(error);
    response.statusCode = 500;
    response.end(String(error));
  } finally {
    span.end();
  }
});
server.listen(Number(process.env.PORT), '127.0.0.1');

process.on('SIGTERM', () => {
  server.close();
  provider.shutdown().then(
    () => process.exit(0),
    error => {
      console.error(error);
      process.exit(1);
    },
  );
});
