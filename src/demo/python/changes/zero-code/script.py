del tracing


def main():
    for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        publishing.publish(tasks.process_order, f"import-{number}", SAMPLE)
