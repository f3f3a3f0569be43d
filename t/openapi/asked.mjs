// The requests that are refused in the same way at both documents' operations.
// Whoever extends this says what is accepted, in good(operation, otherwise).

export class Asked {
    // The requests that get an error, by its code.
    refused(code, operation, response) {
        return this[code]?.(operation, response);
    }

    // ---- who asks, and how often

    missing_key(operation) {
        return [this.good(operation, { who: null })];
    }

    invalid_key(operation) {
        return [this.good(operation, { who: 'nobody' })];
    }

    expired_key(operation) {
        return [this.good(operation, { who: 'expired' })];
    }

    partner_disabled(operation) {
        return [this.good(operation, { who: 'disabled' })];
    }

    rate_limited(operation) {
        return [this.good(operation, { who: 'few' })];
    }

    // ---- what nginx itself refuses

    uri_too_long(operation) {
        return [this.good(operation, { query: `?q=${'q'.repeat(9000)}` })];
    }

    not_implemented(operation) {
        const { body, ...request } = this.good(operation);

        return [{ ...request, headers: [...request.headers, ['Transfer-Encoding', 'gzip']] }];
    }

    http_version_not_supported(operation) {
        return [this.good(operation, { version: '3.0' })];
    }
}
