#!/bin/sh
# Gives orderd the certificate that certbot has renewed. certbot runs it after each renewal, as root:
#   install -m 755 assets/operations/certbot-hook.sh /etc/letsencrypt/renewal-hooks/deploy/orderd
# orderd.toml needs: [server] tls_cert = "/etc/orderd/tls/fullchain.pem", tls_key = "/etc/orderd/tls/privkey.pem"
set -e
: "${RENEWED_LINEAGE:?certbot sets it to the folder of the certificate}"
# certbot's own files can be read by root alone.
install -d -m 750 -g orderd /etc/orderd/tls
install -m 640 -g orderd "$RENEWED_LINEAGE/fullchain.pem" "$RENEWED_LINEAGE/privkey.pem" /etc/orderd/tls/
systemctl reload orderd
