'use strict';

const { NodeSDK } = require('@opentelemetry/sdk-node');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');

const sdk = new NodeSDK({ serviceName: 'checkout', instrumentations: [new HttpInstrumentation()] });
sdk.start();
// tracelink: propagators
process.on('SIGTERM', () => sdk.shutdown().finally(() => process.exit(0)));
