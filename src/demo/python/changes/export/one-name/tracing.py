def make_resource(_service_name):
    return Resource.create({SERVICE_NAME: "orders"})
