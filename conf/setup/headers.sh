#!/usr/bin/env bash
# Prints the compiler's options for nginx's headers:
#   headers.sh SOURCE FOLDER ...    those in SOURCE/src/FOLDER and below it, where
#                                   a newer nginx has more folders
# They are the system's to the compiler, so that it warns of nothing in them.
set -euo pipefail

source=$1/src
shift
find "${@/#/$source/}" -name '*.h' -printf '-isystem %h\n' | sort -u
