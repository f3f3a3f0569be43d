import hashlib, hmac, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

secret = os.environ.get("WEBHOOK_SECRET") or sys.exit("WEBHOOK_SECRET is missing")
names = "X-WASSIIT-Signature", "X-WASSIIT-Signature-Next"


def signed(body, headers):
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return any([hmac.compare_digest(expected.encode(), headers.get(name, "").encode())
                for name in names])


class Receiver(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            return self.answer(411)
        if len(length) > 6:
            return self.answer(413)
        body = self.rfile.read(int(length))
        if not signed(body, self.headers):
            return self.answer(401)
        print(body.decode(), flush=True)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Receiver).serve_forever()
