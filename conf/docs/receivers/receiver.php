<?php
$secret = getenv('WEBHOOK_SECRET') ?: throw new Exception('WEBHOOK_SECRET is missing');
$body = file_get_contents('php://input');
$expected = hash_hmac('sha256', $body, $secret);

if (hash_equals($expected, $_SERVER['HTTP_X_WASSIIT_SIGNATURE'] ?? '')
    || hash_equals($expected, $_SERVER['HTTP_X_WASSIIT_SIGNATURE_NEXT'] ?? '')) {
    file_put_contents('php://stdout', "$body\n");
    http_response_code(204);
} else {
    http_response_code(401);
}
