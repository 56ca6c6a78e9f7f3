import errors

errors.start()
tracing.start("order-api")
