import publishing


def update_inventory(order):
    """Has the parcel packed, too."""
    with tracer.start_as_current_span("update_inventory") as span:
        span.set_attribute("product.id", order["product_id"])
        work(0.4)
    publishing.publish(pack_parcel, queue="parcels")
