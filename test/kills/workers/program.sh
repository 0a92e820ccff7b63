#!/bin/sh
# A program for `longpour work`: input on standard input, result on standard output.
read -r input || [ -n "$input" ]
n=$(printf '%s' "$input" | sed 's/[^0-9]//g')
note() { echo "$1 $LONGPOUR_ORDER_ID program $$ $(date +%s%3N)" >>"$MAKINGS"; }
note begin
sleep 0.02
note end
echo "{\"n\":$n,\"square\":$((n * n))}"
