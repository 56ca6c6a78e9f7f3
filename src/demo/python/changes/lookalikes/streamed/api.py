from fastapi.responses import StreamingResponse


@app.post("/orders", status_code=202)
def create_order(order: Order):
    """Tells the customer at once that the order is being saved."""
    validate_order(order)

    def answer():
        yield "saving\n"
        order_id = save_order(order)
        queue_order(order_id, order.model_dump())
        yield f"{order_id} accepted\n"

    return StreamingResponse(answer(), status_code=202, media_type="text/plain")
