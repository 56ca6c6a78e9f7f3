from starlette.middleware import Middleware

from incoming import RememberIncoming

app = FastAPI(lifespan=lifespan, middleware=[Middleware(RememberIncoming)])
