import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const { WEBHOOK_SECRET: secret, PORT: port } = process.env;
const names = ["x-wassiit-signature", "x-wassiit-signature-next"];

if (!secret) {
    throw new Error("WEBHOOK_SECRET is missing");
}

function signed(body, headers) {
    const expected = createHmac("sha256", secret).update(body).digest("hex");
    return names.some((name) => {
        const given = Buffer.from(headers[name] ?? "");
        return given.length === expected.length
            && timingSafeEqual(given, Buffer.from(expected));
    });
}

createServer(async (request, response) => {
    try {
        const body = Buffer.concat(await request.toArray());
        if (!signed(body, request.headers)) {
            return response.writeHead(401).end();
        }
        console.log(body.toString());
        response.writeHead(204).end();
    } catch {
        response.destroy();
    }
}).listen(port, "127.0.0.1");
