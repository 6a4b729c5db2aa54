#!/usr/bin/env bash
# The whole story on one machine, without a Meta account: every step is applied with kubectl, shown, and checked. Exits 0
# only if every step came true. KEEP=1 leaves everything running.
set -euo pipefail
cd "$(dirname "$0")/.."

started=$SECONDS
step=0
failed=

say() {
  step=$((step + 1))
  printf '\n\033[1m%2d. %s\033[0m\n' "$step" "$1"
}

# Shows a command and runs it.
run() {
  printf '    $ %s\n' "$*"
  "$@" | sed 's/^/    /'
}

# wait_for OBJECT JSONPATH VALUE: until the object has the value, for a minute and a half.
wait_for() {
  if kubectl --namespace meta wait "$1" --for="jsonpath=$2=$3" --timeout=90s >/dev/null; then
    printf '    \033[32mtrue:\033[0m %s has %s = %s\n' "$1" "$2" "$3"
  else
    printf '    \033[31mNOT TRUE:\033[0m %s has %s = %s, wanted %s\n' "$1" "$2" \
      "$(kubectl --namespace meta get "$1" -o "jsonpath=$2" 2>/dev/null || echo 'no such object')" "$3"
    exit 1
  fi
}

# A person in WhatsApp Manager, or Meta itself, changes something.
meta() { # meta METHOD PATH [JSON]
  printf '    Meta: %s %s %s\n' "$1" "$2" "${3:-}"
  curl --fail --silent --show-error --noproxy '*' --output /dev/null --request "$1" "$GRAPH_URL/_sim/$2" \
    --header 'Content-Type: application/json' --data "${3:-{\}}"
}

finish() {
  status=$?
  if [ "$status" -ne 0 ] && [ -n "${KUBECONFIG:-}" ]; then
    failed=1
    printf '\nThe demo failed. The last words of the operator:\n'
    tail -n 15 "$RUN_DIR/operator.log" || true
  fi
  if [ -n "${KEEP:-}" ]; then
    printf '\nEverything is still running: source %s/env, and make down RUN_DIR=%s when you are done.\n' "$RUN_DIR" "$RUN_DIR"
  else
    "$control_plane" down >/dev/null
  fi
  [ -z "$failed" ] && [ "$status" -eq 0 ] && printf '\nEvery step came true, in %s s.\n' $((SECONDS - started))
  exit "$status"
}

: "${RUN_DIR:=.run}"
control_plane=${BIN:-target/debug}/control-plane
trap finish EXIT

say 'Start a control plane, the Graph simulator and the operator'
"$control_plane" down >/dev/null
"$control_plane" up | sed 's/^/    /'
# shellcheck disable=SC1091
source "$RUN_DIR/env"

say 'Connect a Meta app: a Secret and a MetaApp'
run kubectl apply -f examples/00-secret.yaml -f examples/01-metaapp.yaml
wait_for metaapp/ino-cx '{.status.conditions[?(@.type=="CredentialsValid")].status}' True
wait_for metaapp/ino-cx '{.status.phase}' Connected
wait_for metaapp/ino-cx '{.status.conditions[?(@.type=="Ready")].status}' True
wait_for metaapp/ino-cx '{.status.counts.numbers}' 10
wait_for metaapp/ino-cx '{.status.counts.templates}' 12

say 'What Meta has is here: two accounts, numbers in every phase, templates in every state'
wait_for whatsappnumber/number-33612345678 '{.status.phase}' Enabled
wait_for whatsappnumber/number-33698765432 '{.status.phase}' Unverified
wait_for whatsappnumber/number-4915123456789 '{.status.phase}' PINRequired
wait_for whatsappnumber/number-447700900123 '{.status.phase}' Registering
wait_for whatsappnumber/number-33644510278 '{.status.phase}' Restricted
run kubectl --namespace meta get metaapps,whatsappnumbers,messagetemplates -o wide

say 'A number written by hand takes the place of the imported one'
run kubectl apply -f examples/02-number.yaml
wait_for whatsappnumber/support-fr '{.status.phase}' Enabled
kubectl --namespace meta wait whatsappnumber/number-33612345678 --for=delete --timeout=60s | sed 's/^/    /'

say 'A number from bare digits: added to its account, and a code is sent'
run kubectl apply -f examples/04-number-from-scratch.yaml
wait_for whatsappnumber/new-line-fr '{.status.phase}' AwaitingCode
run kubectl --namespace meta get whatsappnumber/new-line-fr -o 'jsonpath={.status.conditions[?(@.type=="Ready")].message}{"\n"}'

say 'The code that came by SMS goes into a Secret; the PIN is made, and the number registered'
number=$(kubectl --namespace meta get whatsappnumber/new-line-fr -o 'jsonpath={.status.phoneNumberID}')
simulated() { curl --fail --silent --show-error --noproxy '*' "$GRAPH_URL/_sim/$1"; }
code=$(simulated "numbers/$number/code" | sed -n 's/.*"code": *"\([0-9]*\)".*/\1/p')
printf '    The phone shows: your code is %s-%s\n' "${code:0:3}" "${code:3}"
run kubectl --namespace meta create secret generic new-line-fr-code --from-literal="code=${code:0:3}-${code:3}"
wait_for whatsappnumber/new-line-fr '{.status.phase}' Enabled
wait_for whatsappnumber/new-line-fr '{.status.conditions[?(@.type=="PINSynced")].status}' True
pin=$(kubectl --namespace meta get secret new-line-fr-pin -o 'jsonpath={.data.pin}' | base64 --decode)
simulated "numbers/$number/counters" | grep -q "\"pin\": *\"$pin\"" || { echo '    NOT TRUE: the PIN at Meta is another one'; exit 1; }
printf '    \033[32mtrue:\033[0m the PIN at Meta is the one in Secret new-line-fr-pin\n'
run kubectl --namespace meta describe whatsappnumber/new-line-fr

say 'What an application sees of it: a Secret in the form of Service Binding, to be mounted'
kubectl --namespace meta get secret new-line-fr-binding \
  -o go-template='{{range $key, $value := .data}}    {{$key}}={{if eq $key "access-token"}}(the token){{else}}{{$value | base64decode}}{{end}}{{"\n"}}{{end}}'
bound() { kubectl --namespace meta get secret new-line-fr-binding -o 'jsonpath={.data.access-token}' | base64 --decode; }
[ -n "$(bound)" ] || { echo '    NOT TRUE: the binding has no token'; exit 1; }

say 'Meta restricts a number, rejects a template, and somebody adds a number: the objects follow'
meta PATCH numbers/106540352242923 '{"status": "RESTRICTED"}'
meta POST templates/730001000000002/review '{"status": "REJECTED", "reason": "INVALID_FORMAT"}'
meta POST numbers '{"id": "106540352249999", "account": "102290129340398", "display_phone_number": "+33 1 99 00 11 22", "verified_name": "INO Nouveau", "status": "CONNECTED", "code_verification_status": "VERIFIED", "quality_rating": "GREEN"}'
wait_for whatsappnumber/number-15550783881 '{.status.phase}' Restricted
template=$(kubectl --namespace meta get messagetemplates -o jsonpath='{.items[?(@.status.templateID=="730001000000002")].metadata.name}')
wait_for "messagetemplate/$template" '{.status.phase}' Rejected
wait_for "messagetemplate/$template" '{.status.rejectedReason}' INVALID_FORMAT
kubectl --namespace meta wait --for=create whatsappnumber/number-33199001122 --timeout=60s >/dev/null
wait_for whatsappnumber/number-33199001122 '{.status.phase}' Enabled
run kubectl --namespace meta get events --sort-by=.metadata.creationTimestamp \
  -o custom-columns=TYPE:.type,REASON:.reason,OBJECT:.involvedObject.name,MESSAGE:.message

say 'A business account is taken from the token: the app says which, and everything else goes on'
synced='{.status.conditions[?(@.type=="AccountsSynced")]'
meta PATCH tokens/demo '{"accounts": ["102290129340398"]}'
wait_for metaapp/ino-cx "$synced.reason}" AccountGone
wait_for metaapp/ino-cx '{.status.needsAction}' true
wait_for whatsappnumber/support-fr '{.status.phase}' Enabled
run kubectl --namespace meta get metaapp/ino-cx -o "jsonpath=$synced.message}{\"\\n\"}"
meta PATCH tokens/demo '{"accounts": ["102290129340398", "215589313241560"]}'
wait_for metaapp/ino-cx "$synced.status}" True

say 'A wrong token is put into the Secret: the app says so, and works on with the one it has'
token_valid='{.status.conditions[?(@.type=="TokenValid")]'
kubectl --namespace meta patch secret ino-cx-meta --type merge --patch '{"stringData": {"access-token": "EAAnobodys"}}' | sed 's/^/    /'
wait_for metaapp/ino-cx "$token_valid.reason}" TokenRejected
wait_for metaapp/ino-cx "$token_valid.status}" False
wait_for metaapp/ino-cx '{.status.phase}' Connected
run kubectl --namespace meta get metaapp/ino-cx -o "jsonpath=$token_valid.message}{\"\\n\"}"

say 'The token expires: the app and its numbers say so, and keep what was last known'
meta PATCH tokens/demo '{"expires_at": "-1m"}'
wait_for metaapp/ino-cx '{.status.phase}' ExpiredToken
wait_for whatsappnumber/support-fr '{.status.phase}' ExpiredToken
wait_for whatsappnumber/support-fr '{.status.verifiedName}' 'INO Support'
run kubectl --namespace meta get metaapp/ino-cx -o 'jsonpath={.status.conditions[?(@.type=="Ready")].message}{"\n"}'

say 'A new token in the Secret is proven, and everything works again'
token=$(sed -n 's/^ *token: \(EAAdemo9[A-Za-z0-9]*\)$/\1/p' examples/demo-seed.yaml)
kubectl --namespace meta patch secret ino-cx-meta --type merge --patch "{\"stringData\": {\"access-token\": \"$token\"}}" | sed 's/^/    /'
wait_for metaapp/ino-cx '{.status.phase}' Connected
wait_for whatsappnumber/support-fr '{.status.phase}' Enabled
wait_for whatsappnumber/new-line-fr '{.status.phase}' Enabled
[ -n "$(bound)" ] && [ "$(bound)" != "$token" ] || { echo '    NOT TRUE: the binding holds the management token, or none'; exit 1; }
printf '    \033[32mtrue:\033[0m the binding keeps the token of its own that only sends\n'

say 'The token comes near its end: it is exchanged for a longer one before (spec.tokenRefresh), and nobody has to do anything'
meta PATCH tokens/replacement '{"expires_at": "+100h"}'
wait_for metaapp/ino-cx '{.status.token.source}' Refreshed
wait_for metaapp/ino-cx '{.status.conditions[?(@.type=="Ready")].status}' True

say 'Nothing changes any more, and nothing is written: versions stand still over several polls'
versions() { kubectl --namespace meta get metaapps,whatsappnumbers,messagetemplates -o jsonpath='{.items[*].metadata.resourceVersion}'; }
polls() { curl --fail --silent --noproxy '*' "$GRAPH_URL/_sim/calls" | grep -oE '"path":"/v[0-9.]+/102290129340398"' | wc -l; }
settled=$(versions)
seen=$(polls)
for _ in $(seq 120); do
  [ "$(polls)" -ge $((seen + 2)) ] && break
  sleep 1
done
[ "$(polls)" -ge $((seen + 2)) ] || { echo '    NOT TRUE: Meta is not polled any more'; exit 1; }
[ "$(versions)" = "$settled" ] || { echo '    NOT TRUE: objects were written though nothing changed'; exit 1; }
printf '    \033[32mtrue:\033[0m no resourceVersion moved over two polls\n'

say 'What a careful client never does to Meta: nothing of it was done'
violations=$(curl --fail --silent --noproxy '*' "$GRAPH_URL/_sim/violations")
[ "$violations" = '[]' ] || { printf '    NOT TRUE: %s\n' "$violations"; exit 1; }
printf '    \033[32mtrue:\033[0m the simulator saw no violation\n'
run kubectl --namespace meta get metaapps,whatsappnumbers,messagetemplates
