#!/usr/bin/env bash
# What is too long for every change, and fresh each night: a thousand sessions of the venue model, seeds of the whole
# engine, spoiled frames, and every case of reliability. Ends with the first failure's exit code.
set -uo pipefail
cd "$(dirname "$0")/../.."
failed=0
HLSYNC_CONSERVATION_SEEDS=1000 node --test test/property/exchange.test.ts || failed=1
npm run -s simulate-seeds -- --count "${SEEDS:-500}" || failed=1
npm run -s hostile -- --count "${FRAMES:-20000}" || failed=1
npm run -s reliability || failed=1
exit $failed
