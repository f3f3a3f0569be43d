
/* Payloads: does a body hold what the API asks for. */


#ifndef _NGX_HTTP_WASSIIT_PAYLOAD_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_PAYLOAD_H_INCLUDED_


#include "ngx_http_wassiit_ctx.h"


/* Registers what looks at bodies, after ngx_http_wassiit_body_init(). */
void ngx_http_wassiit_payload_init(void);


#endif /* _NGX_HTTP_WASSIIT_PAYLOAD_H_INCLUDED_ */
