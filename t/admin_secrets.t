# A partner's hmac_secret and webhook_secret: each is told once, and signs. How long a
# former one does is t/secrets.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

# A request signed by a secret; a delivery, which tells its signature.

sub by { return "atlas-key GET /hmac => $_[1]\n    > X-API-Signature: by $_[0]\n" }
sub delivered { return "- POST /deliver a body => 200 ~ ^\Q{$_[0]}\E\$\n" }

# All that tells a new one, and nothing beside.

sub told {
    my ($field, $value) = @_;
    return qq(201 ~ ^\\{"$field":"$value","former_expires":[^,{}]+\\}\$\n);
}

admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}'],
    http => $Wassiit::Steps::HTTP . <<'HTTP', config => $Wassiit::Steps::CONFIG . <<'CONFIG');
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT_2;
        location / { return 200 $http_x_wassiit_signature; }
    }
HTTP
    location = /hmac { wassiit_auth hmac; try_files /none @ok; }
    location = /deliver {
        wassiit_access off;
        wassiit_webhook_sign zone=api partner=atlas;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    }
CONFIG
run_tests();

__DATA__

=== TEST 1: there is none at first, so none signs and nothing goes out
--- steps eval
'ops GET partners/atlas => 200 ~ "has_hmac_secret":false
    ~ "has_webhook_secret":false
- POST /deliver a body => 502
' . main::by('c2VjcmV0', '401 invalid_signature')


=== TEST 2: an hmac_secret is told alone, base64 of 32 bytes at least, and signs
--- steps eval
'ops POST partners/atlas/hmac_secret => '
. main::told(hmac_secret => '(?:[A-Za-z0-9+/]{4}){10,}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=)')
. main::by('{hmac_secret}', 200)


=== TEST 3: it signs by the shell line of wap.cm's guide, whatever its bytes
--- steps eval
CORE::join '', map {
    'ops POST partners/atlas/hmac_secret => ' . main::told(hmac_secret => '[A-Za-z0-9+/]+=*')
    . main::by('openssl {hmac_secret}', 200)
} 1 .. 10


=== TEST 4: a new one at once: the former does no more
--- steps eval
'ops POST partners/atlas/hmac_secret => 201
' . main::by('{hmac_secret1}', 200)
. 'ops POST partners/atlas/hmac_secret {"grace":"0"} => '
. main::told(hmac_secret => '[A-Za-z0-9+/]+=*') . '    ~ "former_expires":null
    ! {hmac_secret1}
' . main::by('{hmac_secret1}', '401 invalid_signature') . main::by('{hmac_secret2}', 200)


=== TEST 5: a webhook_secret is told alone, and signs deliveries
--- steps eval
'ops POST partners/atlas/webhook_secret => ' . main::told(webhook_secret => '[^"]+')
. main::delivered('signature1')


=== TEST 6: two are not the same, the latter signs
--- steps eval
'ops POST partners/atlas/webhook_secret {"grace":"0"} => ' . main::told(webhook_secret => '[^"]+')
. 'ops POST partners/atlas/webhook_secret {"grace":"0"} => 201
    ! {webhook_secret1}
' . main::delivered('signature2')


=== TEST 7: one secret changes nothing of the other, nor does another field
--- steps eval
'ops POST partners/atlas/hmac_secret => 201
ops POST partners/atlas/webhook_secret => 201
' . main::by('{hmac_secret1}', 200)
. 'ops PATCH partners/atlas {"name":"Atlas"} => 200
' . main::by('{hmac_secret1}', 200) . main::delivered('signature1')
. 'ops GET partners/atlas => 200 ~ "has_hmac_secret":true
    ~ "has_webhook_secret":true
'
