"""A client of the Model Context Protocol that is not tracelink's: PyPI's `mcp`.

    mcp_client.py PROGRAM FOLDER STEPS

Starts `PROGRAM mcp` in that folder and takes the steps, a list in JSON:

    {"call": TOOL, "arguments": {…}}    calls a tool
    {"send": FILE}                      exports each line of the file, a request of
                                        OTLP/JSON, to the session that was begun last

Prints as JSON what the server says of itself, its tools, and an answer for each call. The
structured content of each answer that is no error follows the schema that its tool names;
if it does not, that is an error of the script.
"""

import asyncio
import json
import sys
import urllib.request
from pathlib import Path

import jsonschema
from mcp import Client, MCPError, StdioServerParameters


def export(file, environment):
    for line in Path(file).read_text().splitlines():
        request = urllib.request.Request(
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces",
            data=line.encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200


async def call(client, schemas, name, arguments):
    try:
        answer = await client.call_tool(name, arguments)
    except MCPError as error:
        return {"refused": str(error)}
    structured = answer.structured_content
    if not answer.is_error:
        jsonschema.validate(structured, schemas[name])
    [text] = [part.text for part in answer.content]
    return {"error": bool(answer.is_error), "structured": structured, "text": text}


async def main(program, folder, steps):
    answers, environment = [], None
    async with Client(StdioServerParameters(command=program, args=["mcp"], cwd=folder)) as client:
        tools = (await client.list_tools()).tools
        schemas = {tool.name: tool.output_schema for tool in tools}
        for tool in tools:
            jsonschema.Draft202012Validator.check_schema(tool.input_schema)
            jsonschema.Draft202012Validator.check_schema(tool.output_schema)
        for step in steps:
            if "send" in step:
                await asyncio.to_thread(export, step["send"], environment)
                continue
            answer = await call(client, schemas, step["call"], step.get("arguments", {}))
            environment = (answer.get("structured") or {}).get("environment", environment)
            answers.append(answer)
        about = client.instructions
    listed = [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools]
    print(json.dumps({"instructions": about, "tools": listed, "answers": answers}))


asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
