#!/bin/sh
# A worker by curl alone: curl-loop.sh <url>. It starts an order, makes it, and says so until the server has answered.
# A lost start is asked for again under the same key, so the order comes again. SIGTERM stops it between two orders.
url=$1
trap 'stopped=1' TERM
note() { echo "$1 $id curl $$ $(date +%s%3N)" >>"$MAKINGS"; }
key=$$-0
count=0
while [ -z "$stopped" ]; do
  order=$(curl -s -m 10 -w '\n%{http_code}' -H "Idempotency-Key: $key" "$url/start/?queue=squares&barista=curl-$$&wait=1")
  status=${order##*
}
  case $status in
    404) continue ;;
    200) ;;
    *) sleep 0.05; continue ;;
  esac
  count=$((count + 1)); key=$$-$count
  id=$(printf '%s' "$order" | sed -n 's/.*"order_id":"\([^"]*\)".*/\1/p')
  n=$(printf '%s' "$order" | sed -n 's/.*"input":{"n":\([0-9]*\)}.*/\1/p')
  note begin
  sleep 0.02
  note end
  while :; do
    status=$(curl -s -m 10 -o /dev/null -w '%{http_code}' -d "{\"n\":$n,\"square\":$((n * n))}" "$url/finish/?order_id=$id&barista=curl-$$")
    case $status in
      200 | 404 | 409) break ;;
    esac
    sleep 0.05
  done
done
