<?php
// What PHP itself makes of an upload, as JSON.
$parts = [];

foreach ($_POST as $name => $value) {
    $parts[] = ['name' => (string) $name,
                'value' => is_string($value) ? base64_encode($value) : null];
}

foreach ($_FILES as $name => $file) {
    $read = is_string($file['name']) && $file['error'] === UPLOAD_ERR_OK;
    $parts[] = ['name' => (string) $name,
                'file' => $read ? base64_encode($file['name']) : null,
                'value' => $read
                    ? base64_encode(file_get_contents($file['tmp_name']))
                    : null];
}

echo json_encode(['parts' => $parts], JSON_INVALID_UTF8_SUBSTITUTE);
