del tracing


def main():
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 1):
        order(sys.argv[1])
