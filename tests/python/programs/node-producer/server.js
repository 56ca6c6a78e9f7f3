'use strict';
// node --require ./tracing.js server.js

const http = require('node:http');
const { randomUUID } = require('node:crypto');
const { createClient } = require('redis');
const { context, propagation, trace, SpanKind } = require('@opentelemetry/api');

const redis = createClient({ url: process.env.REDIS_URL });
const tracer = trace.getTracer('checkout');
// tracelink: before-app

// A message of Celery's, protocol 2.
function message(id, args, headers) {
  const body = JSON.stringify([args, {}, { callbacks: null, errbacks: null, chain: null, chord: null }]);
  return JSON.stringify({
    body: Buffer.from(body).toString('base64'),
    'content-encoding': 'utf-8',
    'content-type': 'application/json',
    headers: { lang: 'js', task: 'ship_parcel', id, root_id: id, parent_id: null, group: null, retries: 0, ...headers },
    properties: {
      correlation_id: id,
      delivery_mode: 2,
      delivery_tag: randomUUID(),
      delivery_info: { exchange: '', routing_key: 'celery' },
      body_encoding: 'base64',
      priority: 0,
    },
  });
}

async function enqueue(parcel) {
  await tracer.startActiveSpan('enqueue ship_parcel', { kind: SpanKind.PRODUCER }, async span => {
    const headers = {};
    propagation.inject(context.active(), headers);
    // tracelink: publish
    await redis.lPush('celery', message(randomUUID(), [parcel], headers));
    span.end();
  });
}

const server = http.createServer(async (request, response) => {
  await enqueue(request.url.slice(1));
  response.writeHead(202).end();
});
redis.connect().then(() => server.listen(Number(process.env.PORT), '127.0.0.1'));
