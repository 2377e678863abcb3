"""A mutating webhook of somebody else: adds a container to each pod that has `adds: more` among its labels.

    add_container.py PORT CERTIFICATE KEY IMAGE
"""

import base64
import http.server
import json
import ssl
import sys

port, certificate, key, image = sys.argv[1:]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        pod = review["request"]["object"]
        response = {"uid": review["request"]["uid"], "allowed": True}
        has_it = any(container["name"] == "more" for container in pod["spec"]["containers"])
        if pod["metadata"].get("labels", {}).get("adds") == "more" and not has_it:
            more = {"name": "more", "image": image, "command": ["true"]}
            patch = [{"op": "add", "path": "/spec/containers/-", "value": more}]
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
        body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
