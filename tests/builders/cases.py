#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes build contexts, one a directory, for compare.py and for slipway alone.

usage: cases.py DIR     writes DIR/same/NAME (compare with BuildKit), DIR/self/NAME (the Dockerfile checks itself), DIR/refused/NAME
                        (no builder may build it). A file `extra` beside the Dockerfile holds options for the command line.
Base image: busybox.
"""
import os, pathlib, subprocess, sys

SAME, SELF, REFUSED = {}, {}, {}
SH = '#sh'  # among the files: commands of bash that make what a text cannot
TREE = {'a.txt': 'a\n', 'b.txt': 'b\n', 'c.md': 'c\n', 'dir/x.txt': 'x\n', 'dir/y.md': 'y\n', 'dir/sub/z.txt': 'z\n', 'dir/sub/deep/w.txt': 'w\n',
        'other/x.txt': 'other x\n', '.hidden': 'h\n', 'dir/.dot': 'd\n', 'sp ace.txt': 's\n', 'run.sh': ('#!/bin/sh\necho hi\n', 0o755)}


def same(name, dockerfile, files=None, extra=''):
    SAME[name] = (dockerfile, files if files is not None else TREE, extra)


def self_checking(name, dockerfile, files=None, extra=''):
    SELF[name] = (dockerfile, files if files is not None else TREE, extra)


def refused(name, dockerfile, files=None, extra=''):
    REFUSED[name] = (dockerfile, files if files is not None else TREE, extra)


# Variables
same('expand-forms', '''FROM busybox
ARG A=one
ARG EMPTY=
ENV B=${A}two C="$A three" D='$A four' E=$A\\ five F=\\$A G="${A}\\$A" H=${UNSET} I=pre${A}post J=$A$A K="a 'b' c" L='a "b" c'
ENV M=${A:-def} N=${UNSET:-def} O=${A:+alt} P=${UNSET:+alt} Q=${EMPTY:-def} R=${EMPTY:+alt} S=${UNSET:-${A}}
ENV A1=$B$C ${A}KEY=v
LABEL l1=$A l2="$A b" "l 3"='$A' l4=a\\ b
EXPOSE $A1 
''' .replace('EXPOSE $A1 \n', ''))
same('env-order', 'FROM busybox\nENV a=1 b=$a\nENV a=2 b=$a c=$b\nENV PATH=$PATH:/x\nRUN echo "$a $b $c $PATH" > /o\n')
same('env-legacy', 'FROM busybox\nENV one two three  four\nENV two "quoted words" here\nENV three a=b\nLABEL x y z\nRUN env | grep -E "one|two|three" | sort > /o\n')
same('env-multi', 'FROM busybox\nENV a=1 \\\n    b="2 \\\n3" \\\n # comment\n    c=4\nRUN echo "$a-$b-$c" > /o\n')
same('arg-scopes', '''ARG BASE=busybox
ARG G=global
FROM ${BASE} AS one
ARG G
ARG L=local
ARG NEVER
RUN echo "G=$G L=$L NEVER=$NEVER BASE=$BASE" > /o
FROM one
RUN echo "G=$G L=$L" >> /o
ARG L=other
RUN echo "L=$L" >> /o
''')
same('arg-given', 'ARG G=1\nFROM busybox\nARG G\nARG H=2\nENV H=env\nARG I=$H\nRUN echo "$G $H $I" > /o\n', extra='--build-arg G=given --build-arg H=given')
same('arg-after-env', 'FROM busybox\nENV X=env\nARG X=arg\nRUN echo "$X" > /o\nENV Y=$X\n')
same('arg-default-of-global', 'ARG V=1\nARG W=${V}2\nFROM busybox\nARG W\nARG V=9\nRUN echo "$W $V" > /o\n')
same('arg-quotes', 'FROM busybox\nARG A="a b"\nARG B=\'c d\'\nARG C=e\\ f\nRUN echo "$A|$B|$C" > /o\nLABEL A=$A B=$B C=$C\n')
same('arg-copy', 'FROM busybox\nARG S=a.txt\nARG D=/dest/\nCOPY ${S} $D\nADD ${S:-x} ${D}second/\nWORKDIR /d\nUSER ${NOBODY:-nobody}\n')
same('platform-args', '''FROM busybox
ARG TARGETPLATFORM
ARG TARGETOS
ARG TARGETARCH
ARG TARGETVARIANT
ARG BUILDPLATFORM
ARG BUILDOS
ARG BUILDARCH
RUN echo "$TARGETPLATFORM $TARGETOS $TARGETARCH [$TARGETVARIANT] $BUILDPLATFORM $BUILDOS $BUILDARCH" > /o
''')
same('platform-arg-default', 'FROM --platform=$BUILDPLATFORM busybox\nARG TARGETARCH=fallback\nRUN echo $TARGETARCH > /o\n')
same('proxy-args', 'FROM busybox\nRUN echo "$HTTP_PROXY $http_proxy $no_proxy" > /o\n', extra='--build-arg HTTP_PROXY=http://p:1 --build-arg no_proxy=x')
same('escape-backtick', '# escape=`\nFROM busybox\nENV A=a`\nb\nENV B="x`"y" C=c:\\d D=`$A\nLABEL p=C:\\win\\$A\nRUN echo one; `\n echo two > /o\nCOPY a.txt `\n  /dest`\n/\n')
same('run-expansion-is-shell', 'FROM busybox\nENV A=image\nRUN A=shell; echo $A ${A} "$A" \'$A\' > /o\nCMD echo $A\nENTRYPOINT ["echo", "$A"]\n')
same('quotes-in-words', 'FROM busybox\nCOPY "a.txt" \'/q/\'\nCOPY ["sp ace.txt", "/q/sp ace.txt"]\nWORKDIR "/work dir"\nUSER "app"\nVOLUME "/v1" /v2\n')
same('volume-forms', 'FROM busybox\nVOLUME /a /b\nVOLUME ["/c", "/d e"]\nVOLUME /a\nENV V=/f\nVOLUME $V ${V}g\n')
same('volume-keeps-changes', 'FROM busybox\nRUN mkdir /v && echo 1 > /v/a\nVOLUME /v\nRUN echo 2 > /v/b\nCOPY a.txt /v/\n')
same('expose-forms', 'FROM busybox\nARG P=81\nEXPOSE 80 $P/udp 90-92 443/TCP 7000-7001/udp 53/sctp 80/tcp\nENV LIST="1000 1001"\nEXPOSE $LIST\n')
same('expose-host', 'FROM busybox\nEXPOSE 8080:80 127.0.0.1:81:82/udp\n')
same('health-cmd', 'FROM busybox\nHEALTHCHECK --interval=5m --timeout=3s --start-period=1m30s --retries=3 CMD curl -f http://localhost/ || exit 1\n')
same('health-json', 'FROM busybox\nHEALTHCHECK CMD ["true", "x y"]\n')
same('health-lower', 'FROM busybox\nhealthcheck --timeout=1500ms cmd test -f "$X"\n')
same('health-none', 'FROM busybox AS a\nHEALTHCHECK CMD true\nFROM a\nHEALTHCHECK NONE\n')
same('stopsignal', 'FROM busybox\nARG S=SIGUSR1\nSTOPSIGNAL $S\n')
same('stopsignal-number', 'FROM busybox\nSTOPSIGNAL 9\n')
same('shell', 'FROM busybox\nSHELL ["/bin/sh", "-ec"]\nRUN echo $0 > /o; false || true\nCMD echo $HOME\nENTRYPOINT exec top\nHEALTHCHECK CMD true\n')
same('shell-env', 'FROM busybox\nSHELL ["/bin/busybox", "env", "X=1", "sh", "-c"]\nRUN echo "$X" > /o\n')
same('cmd-entrypoint', 'FROM busybox AS a\nCMD ["a"]\nENTRYPOINT ["b"]\nFROM a AS b\nENTRYPOINT ["c"]\nFROM b\nCMD d\n')
same('cmd-reset', 'FROM busybox\nCMD ["x"]\nFROM busybox\nENTRYPOINT ["e"]\n')
same('cmd-empty', 'FROM busybox\nCMD []\nENTRYPOINT []\n')
same('cmd-bad-json', "FROM busybox\nCMD ['single', 'quotes']\nENTRYPOINT [ \"a\", b ]\n")
same('cmd-json-space', 'FROM busybox\nCMD   [  "a" , "b\\tc" , "\\u00e9" ]  \n')
same('maintainer', 'FROM busybox\nMAINTAINER "Some One" <x@y>\n')
same('labels', 'FROM busybox\nLABEL a=1 b="2 3" \\\n  c=\'4\'\nLABEL a=5 "d e"=f com.example.x="line\\\nnext"\n', extra='--label cli=given --label a=cli')
same('comments', '# first\nFROM busybox\n  # indented\nRUN echo a \\\n# inside\n  # inside, indented\n  && echo b > /o # not a comment\n\nRUN echo "# in quotes" >> /o\n')
same('empty-continuation', 'FROM busybox\nRUN echo a \\\n\n   && echo b > /o\n')
same('case-and-tabs', 'from busybox as Base\n\tRun echo a > /o\nFrOm base\n\tcopy a.txt /\n\tenv   X=1   Y=2\n')
same('crlf', 'FROM busybox\r\nRUN echo a > /o && \\\r\n    echo b >> /o\r\nENV A=b\r\nCOPY a.txt /c\r\n')
same('bom', '\ufeffFROM busybox\nRUN echo a > /o\n')
same('no-final-newline', 'FROM busybox\nRUN echo a > /o')
same('trailing-backslash', 'FROM busybox\nRUN echo a > /o \\\n')
same('long-line', 'FROM busybox\nRUN echo ' + 'x' * 60000 + ' | wc -c > /o\n')
same('utf8', 'FROM busybox\nENV Ü=ä\nLABEL ключ="значение"\nCOPY a.txt /日本.txt\nRUN echo "ñ" > /é\n')

# Stages
same('stages-index', 'FROM busybox\nRUN echo zero > /z\nFROM busybox AS named\nCOPY --from=0 /z /one\nFROM scratch\nCOPY --from=named /one /two\nCOPY --from=1 /one /three\n')
same('stages-unused', 'FROM busybox AS broken\nRUN false\nFROM busybox\nRUN echo ok > /o\n')
same('target', 'FROM busybox AS first\nRUN echo 1 > /o\nFROM first AS second\nRUN false\n', extra='--target first')
same('stage-name-case', 'FROM busybox AS Build\nRUN echo 1 > /o\nFROM scratch\nCOPY --from=bUILD /o /o\n')
same('stage-shadows-image', 'FROM busybox AS busybox\nRUN echo mine > /mine\nFROM busybox\nRUN cat /mine > /o\n')
same('stage-same-name', 'FROM busybox AS s\nRUN echo 1 > /o\nFROM busybox AS s\nRUN echo 2 > /o\nFROM s\nRUN cat /o > /p\n')
same('stage-env-inherit', 'FROM busybox AS a\nENV X=1\nWORKDIR /w\nUSER app\nLABEL l=1\nEXPOSE 1\nFROM a\nRUN echo $X $PWD $(id -u) > /tmp/o\n')
same('from-image-copy', 'FROM scratch\nCOPY --from=busybox /etc/passwd /etc/group /etc/\n')
same('scratch-only', 'FROM scratch\nCOPY a.txt /a\nCMD ["/a"]\n')
same('scratch-empty', 'FROM scratch\nLABEL only=labels\n')
same('onbuild-stage', 'FROM busybox AS parent\nONBUILD RUN echo trig > /t\nONBUILD ENV T=1\nRUN echo p > /p\nFROM parent\nRUN ls / > /o; echo "$T" >> /o\n')
same('onbuild-kept', 'FROM busybox\nONBUILD COPY . /app\nONBUILD RUN ["make", "it"]\nONBUILD LABEL a="b c"\n')
same('user-names', 'FROM busybox\nUSER app\nRUN id -u > /tmp/u; id -g > /tmp/g; echo $HOME > /tmp/h\nUSER app:staff\nRUN id -g > /tmp/g2\nUSER 77\nRUN id -u > /tmp/u3; id -g > /tmp/g3; echo $HOME > /tmp/h3\nUSER 5:6\nRUN id > /tmp/i\nUSER root\nRUN id -u > /tmp/r\n')
same('workdir', 'FROM busybox\nWORKDIR rel\nWORKDIR ../up/./x\nWORKDIR /abs\nWORKDIR b/c/\nRUN pwd > /o\nENV D=/var\nWORKDIR $D/lib\nCOPY a.txt .\nCOPY b.txt ./sub/\nCOPY c.md ..\n')
same('workdir-user', 'FROM busybox\nUSER app\nWORKDIR /home/app/deep\nRUN touch f\nUSER 9:9\nWORKDIR /tmp/n\n')
same('workdir-link', 'FROM busybox\nRUN mkdir /real && ln -s /real /link\nWORKDIR /link/below\nRUN pwd > /o; touch f\n')

# COPY and ADD
same('copy-file-to-file', 'FROM busybox\nCOPY a.txt /new\nCOPY a.txt /x/y/z\nCOPY a.txt b.txt /many/\nCOPY a.txt /tmp\nCOPY a.txt /tmp/\nCOPY ./b.txt /b\nCOPY /c.md /c\n')
same('copy-many-no-slash', 'FROM busybox\nCOPY a.txt b.txt /dest\n')
same('copy-many-into-existing', 'FROM busybox\nRUN mkdir /dest\nCOPY a.txt b.txt /dest\n')
same('copy-dirs', 'FROM busybox\nCOPY dir /d1\nCOPY dir/ /d2/\nCOPY dir/sub dir/.dot /d3/\nCOPY . /all\nCOPY dir/. /d4\nCOPY dir other /merged/\n')
same('copy-wildcards', 'FROM busybox\nCOPY *.txt /w1/\nCOPY ?.txt /w2/\nCOPY [ab].txt /w3/\nCOPY dir/*/*.txt /w4/\nCOPY d* /w5/\nCOPY *.md a* /w6/\nCOPY [^a].txt /w7/\nCOPY */x.txt /w8/\n')
same('copy-wildcard-nothing', 'FROM busybox\nCOPY a.txt nothing* /w/\n')
same('copy-wildcard-file', 'FROM busybox\nCOPY a.t* /only\n')
same('copy-wildcard-quoted', 'FROM busybox\nCOPY arr[[]0].txt /w/\n', {'arr[0].txt': 'q\n'})
same('copy-onto-dir', 'FROM busybox\nRUN mkdir -p /d/a.txt\nCOPY b.txt /d/\nCOPY dir /d\n')
same('copy-replace-file', 'FROM busybox\nRUN echo old > /f && chmod 600 /f && chown 1:1 /f\nCOPY a.txt /f\n')
same('copy-over-link', 'FROM busybox\nRUN echo t > /target && ln -s /target /f && mkdir /dd && ln -s /dd /dl && ln -s nowhere /dangling\nCOPY a.txt /f\nCOPY b.txt /dl/\nCOPY dir /dl\n')
same('copy-links', 'FROM busybox\nCOPY l /l\nCOPY dl /dl\nCOPY . /all\nCOPY inside /inside\n',
     {'t': 't\n', 'l': '->t', 'd/f': 'f\n', 'dl': '->d', 'inside/rel': '->../t', 'inside/abs': '->/etc/passwd', 'inside/dang': '->none'})
same('copy-link-parent', 'FROM busybox\nCOPY dl/f /f\nCOPY dl/* /g/\n', {'d/f': 'f\n', 'dl': '->d'})
same('copy-modes', 'FROM busybox\nCOPY . /m\n', {'x': ('x', 0o4755), 'ro': ('r', 0o444), 'none': ('n', 0o000), 'd/': ('', 0o2770), 'd/f': ('f', 0o640)})
same('copy-chown', 'FROM busybox\nCOPY --chown=1:2 a.txt /a\nCOPY --chown=app a.txt /b\nCOPY --chown=app:staff dir /new/dir\nCOPY --chown=:50 a.txt /c\nCOPY --chown=7 a.txt /d\nARG W=app\nCOPY --chown=$W:${W} a.txt /e\nADD --chown=3:4 b.txt /x/y\n'.replace('COPY --chown=:50 a.txt /c\n', ''))
same('copy-chmod', 'FROM busybox\nCOPY --chmod=600 a.txt /a\nCOPY --chmod=0755 dir /d\nADD --chmod=711 --chown=1:1 b.txt /b\n')
same('copy-from-owner', 'FROM busybox AS s\nRUN echo x > /x && chown 5:6 /x && chmod 640 /x && mkdir -m 2775 /d && chown 7:8 /d && touch /d/f && ln /d/f /d/g && ln -s f /d/l\nFROM busybox\nCOPY --from=s /x /x\nCOPY --from=s /d /d\nCOPY --from=s --chown=9 /d /e\n')
same('copy-from-wildcard', 'FROM busybox AS s\nRUN mkdir /o && touch /o/a.1 /o/b.1 /o/c.2\nFROM scratch\nCOPY --from=s /o/*.1 /got/\n')
same('copy-from-dest-link', 'FROM busybox AS s\nRUN mkdir -p /a/b && touch /a/b/f && ln -s /a /l\nFROM scratch\nCOPY --from=s /l/b /x/\nCOPY --from=s /l /y\n')
same('copy-dot', 'FROM busybox\nWORKDIR /w\nCOPY . .\nCOPY a.txt ./\nCOPY dir ./dir2\n')
same('copy-same-twice', 'FROM busybox\nCOPY a.txt /f\nCOPY b.txt /f\nRUN rm /f\nCOPY a.txt /f\nRUN rm -r /lib; mkdir /lib; touch /lib/new\n')
same('copy-parent-mode', 'FROM busybox\nRUN mkdir -m 700 /p && chown 3:3 /p\nCOPY a.txt /p/q/a\n')
same('copy-empty-dir', 'FROM busybox\nCOPY e /e\nCOPY . /all\n', {'e/': ('', 0o755), 'f/g/': ('', 0o700)})
same('add-local-tar', 'FROM busybox\nADD t.tar /t1\nADD t.tar.gz /t2/\nADD t.tar.bz2 t.tar.xz /t3/\nCOPY t.tar.gz /plain/\n', {'tar': True})
same('add-broken-tar', 'FROM busybox\nADD fake.tar.gz /x/\nADD a.txt b.txt /y/\nADD empty /z\n', {'fake.tar.gz': 'not a tar', 'a.txt': 'a', 'b.txt': 'b', 'empty': ''})
same('add-tar-over-link', 'FROM busybox\nRUN mkdir /real && ln -s /real /t\nADD t.tar /t\n', {'tar': True})
same('ignore-basic', 'FROM busybox\nCOPY . /all\n', {**TREE, '.dockerignore': '# comment\n*.md\n\ndir/sub\n!dir/sub/deep\n.hidden\n'})
same('ignore-star-star', 'FROM busybox\nCOPY . /all\n', {**TREE, '.dockerignore': '**/*.txt\n!a.txt\n!dir/x.txt\n'})
same('ignore-all-but', 'FROM busybox\nCOPY . /all\n', {**TREE, '.dockerignore': '*\n!dir/sub/**\n!b.txt\n'})
same('ignore-slashes', 'FROM busybox\nCOPY . /all\n', {**TREE, '.dockerignore': '/a.txt\n./b.txt\ndir//sub/\nother/../c.md\n  .hidden  \n'})
same('ignore-order', 'FROM busybox\nCOPY . /all\n', {**TREE, '.dockerignore': '!a.txt\n*.txt\n!b.txt\ndir\n!dir/x.txt\ndir/y.*\n'})
same('ignore-classes', 'FROM busybox\nCOPY . /all\n', {**TREE, '.dockerignore': '[a-b].txt\nd?r/*.md\n*/sub\n'})
same('ignore-dockerfile', 'FROM busybox\nCOPY . /all\n', {**TREE, '.dockerignore': 'Dockerfile\n.dockerignore\n'})
same('ignore-then-copy-dir', 'FROM busybox\nCOPY dir /d\n', {**TREE, '.dockerignore': 'dir/*\n!dir/y.md\n'})
same('dockerfile-ignore', 'FROM busybox\nCOPY . /all\n', {**TREE, 'Dockerfile.dockerignore': 'a.txt\n', '.dockerignore': 'b.txt\n'})

# RUN
same('run-forms', 'FROM busybox\nRUN ["sh", "-c", "echo $0 $1 > /o", "a", "b"]\nRUN echo "a  b" | tr a c > /p && (echo sub; false) >> /p || true\nRUN ["/bin/touch", "/with space"]\n')
same('run-deletes', 'FROM busybox\nRUN mkdir -p /a/b/c && touch /a/b/c/f /a/g\nRUN rm -r /a/b && touch /a/h\nRUN rm -r /a && mkdir /a && touch /a/new\nRUN mv /a /z\nRUN rm /etc/shadow; mkdir /etc/shadow\nRUN rmdir /etc/shadow && ln -s passwd /etc/shadow\n')
same('run-links', 'FROM busybox\nRUN echo 1 > /a && ln /a /b && ln -s a /c\nRUN echo 2 >> /b\nRUN rm /a\n')
same('run-special', 'FROM busybox\nRUN mkfifo /p && mkdir -m 1777 /s && touch -d "2001-02-03 04:05" /old && chmod 4755 /bin/busybox && chown 1:2 /s\n')
same('run-mount-bind', 'FROM busybox\nRUN --mount=target=/ctx cp /ctx/a.txt /o\nRUN --mount=type=bind,source=dir,target=/d ls /d > /p\nRUN --mount=type=bind,src=a.txt,dst=/f,rw echo more >> /f; cat /a.txt > /q 2>&1 || true\nRUN --mount=type=bind,source=dir,target=rel ls rel /rel > /r\n')
same('run-mount-from', 'FROM busybox AS s\nRUN mkdir /out && echo made > /out/f\nFROM busybox\nRUN --mount=from=s,source=/out,target=/in cat /in/f > /o\nRUN --mount=type=bind,from=busybox,target=/bb ls /bb/bin/busybox > /p\n')
same('run-mount-cache', 'FROM busybox\nRUN --mount=type=cache,target=/c echo 1 > /c/f && cat /c/f > /o\nRUN --mount=type=cache,id=x,target=/deep/c,uid=5,gid=6,mode=0711 stat -c "%u %g %a" /deep/c > /p\n')
same('run-mount-tmpfs', 'FROM busybox\nRUN --mount=type=tmpfs,target=/t touch /t/f && mount | grep -c " /t type tmpfs" > /o\n')
same('run-mount-secret', 'FROM busybox\nRUN --mount=type=secret,id=s cat /run/secrets/s > /o; stat -c %a /run/secrets/s >> /o\nRUN --mount=type=secret,id=s,target=/x/y,mode=0444,uid=3,gid=4 stat -c "%u %g %a" /x/y > /p\nRUN --mount=type=secret,id=none ls /run/secrets 2>/dev/null; echo done > /q\n', {'secret': 'hush'}, extra='--secret id=s,src={dir}/secret')
same('run-etc-files', 'FROM busybox\nRUN cat /etc/hosts /etc/resolv.conf > /dev/null && echo x >> /etc/passwd\nRUN ls -a /etc > /o\n')
same('run-env', 'FROM busybox\nENV A=1\nARG B=2\nRUN env | grep -vE "HOSTNAME|PWD|SHLVL|_=" | sort > /o\n')
same('add-dest-slash', 'FROM busybox\nADD a.txt dir/\nADD dir /dst/\n')

# Odd ones
same('odd-nomatch', 'FROM busybox\nCOPY *.nomatch /x/\nRUN ls -a / > /o\n')
same('odd-dir-onto-symlink', 'FROM busybox\nRUN mkdir -p /real && echo 1 >/real/k && ln -s real /l\nCOPY dir /l\n')
same('odd-file-onto-dangling', 'FROM busybox\nRUN ln -s /nowhere /l\nCOPY a.txt /l\n')
same('odd-file-under-dangling', 'FROM busybox\nRUN ln -s /nowhere/deep /l\nCOPY a.txt /l/b\n')
same('odd-dest-rel-symlink-up', 'FROM busybox\nRUN mkdir -p /a/b /c && ln -s ../../c /a/b/l\nCOPY dir /a/b/l/new/\n')
same('odd-dest-escape-symlink', 'FROM busybox\nRUN ln -s ../../../../../etc /l\nCOPY a.txt /l/zz\n')
same('odd-src-symlink-in-dir', 'FROM busybox\nCOPY . /all/\n', {**TREE, SH: 'ln -s ../a.txt dir/up; ln -s /etc/passwd abs; ln -s nowhere dang; ln -s dir ld'})
same('odd-src-symlink-out', 'FROM busybox\nCOPY out /x\n', {**TREE, SH: 'ln -s ../../../../../../../a.txt out'})
same('odd-src-wild-symlinks', 'FROM busybox\nCOPY l* /x/\n', {**TREE, SH: 'ln -s a.txt l1; ln -s dir l2'})
same('odd-src-dots', 'FROM busybox\nCOPY ./dir/../a.txt /x\nCOPY dir/./sub /y\nCOPY ./ /z/\nCOPY .. /up/\n')
same('odd-dst-empty-json', 'FROM busybox\nWORKDIR /w\nCOPY ["a.txt", ""]\n')
same('odd-dst-rel-noworkdir', 'FROM busybox\nCOPY a.txt rel\nCOPY dir reld/\n')
same('odd-wild-class', 'FROM busybox\nCOPY [ab].txt /x/\nCOPY [!a].txt /y/\nCOPY [^a].txt /z/\n')
same('odd-wild-escape', 'FROM busybox\nCOPY w\\*x /x/\nCOPY q[?] /y/\n', {**TREE, SH: "echo 1 > 'w*x'; echo 2 > 'wyx'; echo 3 > 'q?'"})
same('odd-hidden-wild', 'FROM busybox\nCOPY * /x/\n')
same('odd-longname', 'FROM busybox\nCOPY . /all/\n', {**TREE, SH: "n=$(printf 'x%.0s' $(seq 250)); mkdir -p $n/$n; echo 1 > $n/$n/$n; ln -s $n/$n/$n longlink"})
same('odd-uni', 'FROM busybox\nCOPY ü* /ö/\nCOPY . /all/\n', {**TREE, SH: 'echo 1 > \'üñ.txt\'; mkdir \'日本\'; echo 2 > \'日本/語\'; printf x > "$(printf \'bad\\377name\')"'})
same('odd-hardlinks', 'FROM busybox\nCOPY . /all/\nCOPY h1 h2 /two/\n', {**TREE, SH: 'echo 1 > h1; ln h1 h2; mkdir hd; ln h1 hd/h3'})
same('odd-modes', 'FROM busybox\nCOPY . /all/\nCOPY m /m\n', {**TREE, SH: 'mkdir m; echo 1 > m/su; chmod 4755 m/su; echo 2 > m/sg; chmod 2755 m/sg; mkdir m/st; chmod 1777 m/st; mkdir m/sgd; chmod 2775 m/sgd; echo 3 > m/none; chmod 000 m/none; chown 55:66 m/none'})
same('odd-dir-mode-merge', 'FROM busybox\nRUN mkdir -m 700 /d /d/sub\nCOPY dir /d\n', {**TREE, SH: 'chmod 775 dir dir/sub'})
same('odd-copy-from-link', 'FROM busybox\nRUN mkdir -p /r/s && echo 1 > /r/s/f && ln -s /r /lr && ln -s s /r/ls && ln -s /r/s/f /lf\nFROM busybox\nCOPY --from=0 /lr /a\nCOPY --from=0 /lr/ls/f /b\nCOPY --from=0 /lf /c\nCOPY --from=0 /r /d\nCOPY --from=0 /lr/* /e/\n')
same('odd-copy-from-link-esc', 'FROM busybox\nRUN ln -s /../../../etc /esc && ln -s ../../../../etc/passwd /esc2\nFROM busybox\nCOPY --from=0 /esc/passwd /a\nCOPY --from=0 /esc2 /b\n')
same('odd-workdir-symlink', 'FROM busybox\nRUN mkdir /r && ln -s /r /l\nWORKDIR /l/x\nRUN pwd > /o; echo 1 > f\nWORKDIR ../y\nRUN pwd > /o2\n')
same('odd-workdir-user-num', 'FROM busybox\nUSER 77:78\nWORKDIR /q/r\n')
same('odd-workdir-env', 'FROM busybox\nENV D=/d\nWORKDIR $D/${E:-e}\nWORKDIR rel//x/../y/\nWORKDIR /\nWORKDIR ..\n')
same('odd-user-forms', 'FROM busybox\nUSER app:staff\nRUN id > /tmp/o\nUSER 1000\nRUN id > /tmp/p\nUSER 1000:50\nRUN id > /tmp/q\nUSER 4242\nRUN id -u > /tmp/r; id -g >> /tmp/r\nUSER root\nRUN id > /tmp/s\nUSER :50\n')
same('odd-user-home', 'FROM busybox\nUSER app\nRUN echo $HOME > /tmp/o\nUSER 4242\nRUN echo $HOME > /tmp/p\nENV HOME=/h\nRUN echo $HOME > /tmp/q\n')
same('odd-tar-over', 'FROM busybox\nRUN mkdir -p /t/in && echo old > /t/in/f && ln -s /etc /t/in/l && mkdir /t/ld\nADD t.tar /t\n', {**TREE, SH: 'mkdir in; echo new > in/f; echo 1 > in/g; ln -s f in/l; tar cf t.tar --owner=7 --group=8 in; rm -r in'})
same('odd-tar-file-dir', 'FROM busybox\nRUN mkdir -p /t/in/f/deep && echo 1 > /t/in/d\nADD t.tar /t\n', {**TREE, SH: 'mkdir -p in/d/e; echo new > in/f; tar cf t.tar in; rm -r in'})
same('odd-tar-hard', 'FROM busybox\nADD t.tar /t\n', {**TREE, SH: 'mkdir in; echo 1 > in/a; ln in/a in/b; mkfifo in/p; tar cf t.tar in; rm -r in'})
same('odd-tar-modes', 'FROM busybox\nADD t.tar /t/\n', {**TREE, SH: 'mkdir in; echo 1 > in/a; chmod 4750 in/a; mkdir in/s; chmod 3777 in/s; touch -d 1999-01-01 in/a; tar cf t.tar in; rm -r in'})
same('odd-tar-dot', 'FROM busybox\nRUN mkdir -m 700 /t && chown 3:3 /t\nADD t.tar /t/\n', {**TREE, SH: 'mkdir in; echo 1 > in/a; chmod 755 in; tar -C in -cf t.tar .; rm -r in'})
same('odd-tar-noparent', 'FROM busybox\nADD t.tar /t/\n', {**TREE, SH: 'mkdir -p in/d; echo 1 > in/d/a; tar cf t.tar in/d/a; rm -r in'})
same('odd-tar-gnu', 'FROM busybox\nADD t.tar /t/\n', {**TREE, SH: 'mkdir in; n=$(printf "x%.0s" $(seq 200)); echo 1 > in/$n; ln -s $n$n in/l; tar --format=gnu -cf t.tar in; rm -r in'})
same('odd-tar-v7', 'FROM busybox\nADD t.tar /t/\n', {**TREE, SH: 'mkdir in; echo 1 > in/a; tar --format=v7 -cf t.tar in; rm -r in'})
same('odd-tar-symlink-src', 'FROM busybox\nADD l /t/\n', {**TREE, SH: 'mkdir in; echo 1 > in/a; tar cf t.tar in; rm -r in; ln -s t.tar l'})
same('odd-gz-plain', 'FROM busybox\nADD p.gz /t/\n', {**TREE, SH: 'echo plain | gzip > p.gz'})
same('odd-env-corner', 'FROM busybox\nENV A="a\\nb" B=a\\nb C=\'a\\nb\' D="\\"q\\"" E=\\\\ F="\\\\" G=a\\ b\\ c H="$A" I=${A}\nRUN printf "%s|" "$A" "$B" "$C" "$D" "$E" "$F" "$G" "$H" "$I" > /o\n')
same('odd-env-quotes-mid', 'FROM busybox\nENV A=x"y z"w B=\'p q\'"r s" C="" D=\'\' E=a"b\'c"d\n')
same('odd-env-legacy-quotes', 'FROM busybox\nENV A "x y"\nENV B \'x\' y\nENV C a\\ b  c\nENV D $A-${B}\nENV E   lead and trail   \n')
same('odd-env-special', 'FROM busybox\nENV A=$$ B=$1 C=$@ D=$_ E=a$ F=$-x G="$" H=${A}$ I=$(x)\n')
same('odd-label-var', 'FROM busybox\nENV V=v\nLABEL k$V=$V "q${V}"="${V}q" \'s$V\'=\'$V\'\n')
same('odd-arg-proxy-declared', 'FROM busybox\nARG HTTP_PROXY\nARG http_proxy=def\nRUN echo "$HTTP_PROXY $http_proxy $HTTPS_PROXY" > /o\nENV Q=$HTTP_PROXY\n', extra='--build-arg HTTP_PROXY=http://p')
same('odd-cmd-nothing', 'FROM busybox\nCMD\n')
same('odd-run-empty', 'FROM busybox\nRUN\n')
same('odd-entry-nothing', 'FROM busybox\nCMD x\nENTRYPOINT\n')
same('odd-stopsig', 'FROM busybox\nSTOPSIGNAL sigterm\nSTOPSIGNAL KILL\nSTOPSIGNAL SIGRTMIN+3\n')
same('odd-expose-host-range', 'FROM busybox\nEXPOSE 80-81:90-91\nEXPOSE 1-5:7\n')
same('odd-onbuild-chain', 'FROM busybox AS a\nONBUILD RUN echo 1 >> /o\nONBUILD COPY a.txt /\nONBUILD ENV A=1\nONBUILD WORKDIR /w\nONBUILD USER app\nFROM a AS b\nRUN pwd > /tmp/p\nONBUILD RUN id -u > /tmp/q\nFROM b\nRUN touch /tmp/z\n')
same('odd-onbuild-keep', 'FROM busybox\nONBUILD RUN echo "x  y" \\\n  z\nONBUILD   CMD ["a"]\nonbuild copy . /x\n')
same('odd-r-opaque', 'FROM busybox\nRUN mkdir -p /d/e && echo 1 >/d/a && echo 2 > /d/e/b\nRUN rm -rf /d && mkdir /d && echo n > /d/n\nRUN rm -rf /d/* && mkdir /d/e && echo 3 > /d/e/c\nFROM scratch\nCOPY --from=0 /d /d\n')
same('odd-r-rename-dir', 'FROM busybox\nRUN mkdir -p /d/e/f && echo 1 >/d/e/a && echo 2 > /d/e/f/b\nRUN mv /d /n && mkdir /d\nRUN mv /n/e /d/e2 && rm -r /n\nRUN mv /d/e2/f /f && mv /f /d/g\n')
same('odd-r-file-dir', 'FROM busybox\nRUN echo 1 > /x && mkdir -p /y/z && echo 2 > /y/z/w\nRUN rm /x && mkdir /x && echo 3 > /x/in\nRUN rm -r /y && echo 4 > /y\nRUN rm -r /x && ln -s y /x\nRUN rm /x /y && mkdir -p /x/y\n')
same('odd-r-symlink-wh', 'FROM busybox\nRUN mkdir /t && echo 1 > /t/a && ln -s t /l && ln -s t /l2\nRUN rm /l && mkdir /l && echo 2 > /l/b\nRUN rm /l2\nRUN echo 3 > /t/c\n')
same('odd-r-hard-over', 'FROM busybox\nRUN echo 1 > /a && ln /a /b && ln /a /c\nRUN chmod 600 /b\nRUN rm /a\nRUN ln /c /d && echo 2 > /c\n')
same('odd-r-manyfiles', 'FROM busybox\nRUN mkdir /m; i=0; while [ $i -lt 300 ]; do echo $i > /m/$i; i=$((i+1)); done\nRUN rm /m/1*\nRUN for i in 10 11 12; do echo n > /m/$i; done\n')
same('odd-m-bind-rw', 'FROM busybox\nRUN --mount=type=bind,target=/c,rw echo 1 > /c/new && rm /c/a.txt && ls -A /c > /o\nRUN --mount=target=/c ls -A /c > /p\n')
same('odd-m-bind-existing', 'FROM busybox\nRUN mkdir /e && echo 1 > /e/k\nRUN --mount=type=bind,source=dir,target=/e ls -A /e > /o\n')
same('odd-m-cwd2', 'FROM busybox\nWORKDIR /w\nRUN --mount=type=bind,source=dir,target=sub/x ls -A sub/x > /o\n')
same('odd-m-symlink-target', 'FROM busybox\nRUN mkdir /r && ln -s /r /l\nRUN --mount=type=bind,source=dir,target=/l ls -A /r > /o; ls -l / | grep -c "l -> /r" > /p\n')
same('odd-m-cache-mode', 'FROM busybox\nRUN --mount=type=cache,target=/c2,mode=0700,uid=5,id=mcm stat -c "%a %u %g" /c2 > /o\n')
same('odd-ig-exc3', 'FROM busybox\nCOPY . /x\n', {**TREE, SH: "printf '*\\n!dir\\ndir/sub\\n!dir/sub/deep/w.txt\\n' > .dockerignore"})
same('odd-ig-dbl3', 'FROM busybox\nCOPY . /x\n', {**TREE, SH: "printf '**sub**\\n' > .dockerignore"})
same('odd-ig-esc', 'FROM busybox\nCOPY . /x\n', {**TREE, SH: "printf '\\\\*.t\\n' > .dockerignore; echo 1 > '*.t'; echo 2 > 'q.t'"})
same('odd-ig-space', 'FROM busybox\nCOPY . /x\n', {**TREE, SH: "printf '! a.txt\\n * \\n  !  b.txt\\n' > .dockerignore"})
same('odd-ig-bom', 'FROM busybox\nCOPY . /x\n', {**TREE, SH: "printf '\\357\\273\\277a.txt\\nb.txt\\r\\n' > .dockerignore"})
same('odd-ig-up', 'FROM busybox\nCOPY . /x\n', {**TREE, SH: "printf '../a.txt\\n./dir/../b.txt\\n/\\n' > .dockerignore"})
same('odd-ig-hash', 'FROM busybox\nCOPY . /x\n', {**TREE, SH: "printf ' #x\\n#y\\n\\\\#z\\n' > .dockerignore; echo 1 > '#x'; echo 1 > '#y'; echo 1 > '#z'"})
same('odd-ig-link2', 'FROM busybox\nCOPY ld /x\n', {**TREE, SH: "ln -s dir ld; printf 'dir/x.txt\\n' > .dockerignore"})
same('odd-ig-empty-dirs', 'FROM busybox\nCOPY . /x\n', {**TREE, SH: "printf 'dir/sub/deep/w.txt\\nother/*\\n' > .dockerignore"})
same('odd-src-empty', 'FROM busybox\nARG X\nCOPY $X /x/\nCOPY ${X} a.txt /y/\n')

# Newer than docker 20.10: checked by the Dockerfile itself.
CHECK = 'SHELL ["/bin/sh", "-exc"]\n'
self_checking('heredoc-run', '# syntax=docker/dockerfile:1\nFROM busybox\n' + CHECK + '''RUN <<EOF
echo one > /o
echo "two $HOME" >> /o
EOF
RUN <<-'TAB' cat > /p
	$HOME is not expanded
	TAB
RUN <<SCRIPT
#!/bin/sh
echo "script $0" > /q
SCRIPT
RUN cat <<A > /r && cat <<B > /s
in a
A
in b
B
ENV X=env
RUN <<EOF
echo $X > /t
EOF
RUN [ "$(cat /o)" = "$(printf 'one\\ntwo /root')" ] && [ "$(cat /p)" = '$HOME is not expanded' ] && [ "$(cat /q)" = 'script /dev/pipes/SCRIPT' ] && [ "$(cat /r)" = 'in a' ] && [ "$(cat /s)" = 'in b' ] && [ "$(cat /t)" = env ]
RUN [ ! -e /dev/pipes ]
''')
self_checking('heredoc-copy', 'FROM busybox\n' + CHECK + '''ARG V=value
COPY <<one.txt <<"two.txt" /files/
v is $V and ${V:-x} and "quoted" 'single' \\$V
one.txt
v is $V
two.txt
COPY --chmod=0755 --chown=1:2 <<EOF /script.sh
#!/bin/sh
echo $V
EOF
COPY <<-EOF a.txt /mixed/
	tabs go
		all
	EOF
ADD <<EOF /added
by add
EOF
COPY <<EOF /empty
EOF
RUN [ "$(cat /files/one.txt)" = "v is value and value and \\"quoted\\" 'single' \\$V" ]
RUN [ "$(cat /files/two.txt)" = 'v is $V' ] && [ "$(/script.sh)" = value ] && [ "$(stat -c '%u %g %a' /script.sh)" = "1 2 755" ]
RUN [ "$(cat /mixed/EOF)" = "$(printf 'tabs go\\nall')" ] && [ -f /mixed/a.txt ] && [ "$(cat /added)" = "by add" ] && [ -f /empty ] && [ ! -s /empty ]
''')
self_checking('expand-new', 'FROM busybox\n' + CHECK + '''ARG F=a/b/c.tar.gz
ARG EMPTY=
ENV A=${F#*/} B=${F##*/} C=${F%.*} D=${F%%.*} E=${F/a/x} G=${F//a/x} H=${F//[/]/-} I=${F-def} J=${NONE-def} K=${EMPTY-def} L=${EMPTY+set} M=${NONE+set} N=${F:?must}
RUN [ "$A" = b/c.tar.gz ] && [ "$B" = c.tar.gz ] && [ "$C" = a/b/c.tar ] && [ "$D" = a/b/c ] && [ "$E" = x/b/c.tar.gz ] && [ "$G" = x/b/c.txr.gz ]
RUN [ "$I" = a/b/c.tar.gz ] && [ "$J" = def ] && [ "$K" = "" ] && [ "$L" = set ] && [ "$M" = "" ] && [ "$N" = a/b/c.tar.gz ]
''')
self_checking('copy-link', 'FROM busybox\n' + CHECK + '''RUN mkdir /real && ln -s /real /sym
COPY --link a.txt /linked/a
COPY --link --chown=3:4 dir /sym/d
ADD --link b.txt /linked/
RUN [ -f /linked/a ] && [ -f /linked/b.txt ] && [ ! -L /sym ] && [ "$(stat -c '%u %g' /sym/d/x.txt)" = "3 4" ]
''')
self_checking('copy-parents', 'FROM busybox AS s\nRUN mkdir -p /a/b/c && echo 1 > /a/b/c/f && echo 2 > /a/g\nFROM busybox\n' + CHECK + '''COPY --parents dir/x.txt dir/sub/z.txt /p1/
COPY --parents dir/*/z.txt /p2/
COPY --parents dir/./sub/deep/w.txt /p3/
COPY --parents **/x.txt /p4/
COPY --from=s --parents /a/b/c/f /p5/
COPY --from=s --parents /a/./b /p6/
COPY --parents dir /p7/
COPY --parents ./dir/**/*.txt /p8/
RUN [ -f /p1/dir/x.txt ] && [ -f /p1/dir/sub/z.txt ] && [ ! -e /p1/dir/y.md ] && [ -f /p2/dir/sub/z.txt ] && [ -f /p3/sub/deep/w.txt ] && [ ! -e /p3/dir ]
RUN [ -f /p4/dir/x.txt ] && [ -f /p4/other/x.txt ] && [ ! -e /p4/a.txt ] && [ -f /p5/a/b/c/f ] && [ -f /p6/b/c/f ] && [ -f /p7/dir/sub/deep/w.txt ]
RUN [ -f /p8/dir/x.txt ] && [ -f /p8/dir/sub/deep/w.txt ] && [ ! -e /p8/dir/y.md ]
''')
self_checking('copy-exclude', 'FROM busybox\n' + CHECK + '''COPY --exclude=*.md --exclude=sub dir /e1
COPY --exclude=**/*.txt . /e2
COPY --exclude=dir . /e3
COPY --exclude=b.txt *.txt /e4/
ADD --exclude=x.* dir /e5/
COPY --exclude=sub --exclude=!sub/deep dir /e6
RUN [ -f /e1/x.txt ] && [ ! -e /e1/y.md ] && [ ! -e /e1/sub ] && [ ! -e /e2/a.txt ] && [ ! -e /e2/dir/sub/z.txt ] && [ -f /e2/c.md ] && [ ! -e /e3/dir ] && [ -f /e3/a.txt ]
RUN [ -f /e4/a.txt ] && [ ! -e /e4/b.txt ] && [ ! -e /e5/x.txt ] && [ -f /e5/y.md ]
RUN [ -f /e6/sub/deep/w.txt ] && [ ! -e /e6/sub/z.txt ]
''')
self_checking('chmod-symbolic', 'FROM busybox\n' + CHECK + '''COPY --chmod=u=rwX,go=rX dir /d
COPY --chmod=a+x a.txt /x
COPY --chmod=go-r,u+s b.txt /s
COPY --chmod=+w c.md /w
COPY --chmod=u=rw,g=u,o=g a.txt /copy
RUN [ "$(stat -c %a /d/x.txt)" = 644 ] && [ "$(stat -c %a /d/sub)" = 755 ] && [ "$(stat -c %a /x)" = 755 ] && [ "$(stat -c %a /s)" = 4600 ]
RUN [ "$(stat -c %a /copy)" = 666 ]
''')
self_checking('add-unpack', 'FROM busybox\n' + CHECK + 'ADD --unpack=false t.tar.gz /whole/\nADD --unpack=true t.tar.gz /parts/\nRUN [ -f /whole/t.tar.gz ] && [ -f /parts/in/f ]\n', {'tar': True})
self_checking('secret-env', 'FROM busybox\n' + CHECK + 'RUN --mount=type=secret,id=s,env=S [ "$S" = hush ] && [ ! -e /run/secrets/s ]\nRUN --mount=type=secret,id=s,env=S,target=/t [ "$S" = hush ] && [ "$(cat /t)" = hush ]\n', {'secret': 'hush'}, extra='--secret id=s,src={dir}/secret')
self_checking('run-network', 'FROM busybox\n' + CHECK + 'RUN --network=none [ "$(grep -c : /proc/net/dev)" -le 1 ]\nRUN --network=host true\nRUN --network=default true\n')
self_checking('start-interval', 'FROM busybox\nHEALTHCHECK --start-period=10s --start-interval=1s CMD true\n')
self_checking('mount-variables', 'FROM busybox\n' + CHECK + 'ARG T=/tgt\nARG S=dir\nRUN --mount=type=bind,source=$S,target=${T} [ -f /tgt/x.txt ]\n')
self_checking('onbuild-stage-new', 'FROM busybox AS src\nRUN echo s > /s\nFROM busybox AS parent\nONBUILD COPY --from=src /s /copied\nONBUILD RUN echo t > /t\nFROM parent\n' + CHECK + 'RUN [ -f /copied ] && [ -f /t ]\n')
self_checking('named-context-dir', 'FROM extra AS e\nFROM busybox\n' + CHECK + 'COPY --from=extra x.txt /1\nCOPY --from=e x.txt /2\nRUN --mount=from=extra,target=/m [ -f /m/x.txt ]\nRUN [ -f /1 ] && [ -f /2 ]\n', extra='--build-context extra={dir}/dir')
self_checking('named-context-stage', 'FROM busybox AS base\nRUN false\nFROM base\n' + CHECK + 'RUN [ -f /etc/passwd ]\n', extra='--build-context base=docker-image://busybox')
self_checking('named-context-image', 'FROM alpine:3\n' + CHECK + 'RUN [ -f /etc/passwd ]\nCOPY --from=nginx /etc/group /g\n', extra='--build-context alpine:3=docker-image://busybox --build-context nginx=docker-image://busybox')
self_checking('path-of-base', 'FROM scratch AS s\nCOPY --from=busybox / /\nFROM s\nRUN ["/bin/sh", "-c", "[ -n \\"$PATH\\" ]"]\n')
self_checking('lower-dockerfile', '', {'dockerfile': 'FROM busybox\nRUN true\n'})
self_checking('args-several', 'FROM busybox\n' + CHECK + 'ARG a=1 b=2 c=${a}${b} d\nRUN [ "$a$b$c$d" = 1212 ]\n')
self_checking('expose-empty-proto', 'FROM busybox\nEXPOSE 8080/ \n')

self_checking('heredoc-space', 'FROM busybox\n' + CHECK + '''RUN cat << EOF > /o
hello
EOF
RUN << EOF
echo again >> /o
EOF
RUN [ "$(cat /o)" = "$(printf 'hello\\nagain')" ]
''')
self_checking('mount-keys', 'FROM busybox\n' + CHECK + '''WORKDIR /w
RUN --mount=type=bind [ -f /w/a.txt ]
RUN --mount=type=cache touch /w/x
RUN --mount=type=bind,id=x,target=/m --mount=type=tmpfs,source=x,id=y,size=1.5m,target=/n true
RUN --mount=type=secret,source=s,target=/q [ "$(cat /q)" = hush ]
''', {**TREE, 'secret': 'hush'}, extra='--secret id=s,src={dir}/secret')
self_checking('chmod-parents', 'FROM busybox\n' + CHECK + '''COPY --chmod=700 a.txt /n/m/a
COPY --chmod=750 dir /d
COPY --chmod=go= a.txt /s/a
RUN [ "$(stat -c %a /n)" = 700 ] && [ "$(stat -c %a /n/m)" = 700 ] && [ "$(stat -c %a /d)" = 750 ] && [ "$(stat -c %a /s)" = 755 ]
RUN mkdir /real && ln -s /real /sym
COPY --link --chmod=600 a.txt /sym/x
RUN [ "$(stat -c %a /real/x)" = 600 ]
''')
self_checking('archive-modes', 'FROM busybox\n' + CHECK + 'ADD --chmod=0700 --chown=3:4 t.tar /t/\nRUN [ "$(stat -c "%a %u %g" /t/in/x)" = "751 3 4" ] && [ "$(stat -c %a /t)" = 755 ]\n', {'tar': True})
self_checking('from-scratch', 'FROM busybox\n' + CHECK + '''RUN --mount=type=bind,from=scratch,target=/x,rw touch /x/y
RUN --mount=type=cache,from=scratch,target=/x touch /x/y
COPY --from=scratch / /z/
RUN [ -d /z ] && [ -z "$(ls -A /z)" ]
RUN --network=none ping -c1 -W1 localhost && ping -c1 -W1 "$(hostname)"
''')
self_checking('last-stage-name', 'FROM busybox AS fin\nARG TARGETSTAGE\nENV E=éa\n' + CHECK + '''ENV F=${E#?} G=${E/?/b}
RUN [ "$TARGETSTAGE $F $G" = "fin a ba" ] && [ "$(hostname)" = buildkitsandbox ]
''')

refused('other-syntax', '# syntax=example.com/other/language:1\nFROM busybox\n')
refused('wild-dangling', 'FROM busybox\nCOPY l* /x/\n', {'l1': '->nowhere', 'l2': 'x'})
refused('expose-ranges', 'FROM busybox\nEXPOSE 80-81:90-95\n')
refused('volume-empty', 'FROM busybox\nVOLUME $NOPE\n')
refused('unknown', 'FROM busybox\nFOO bar\n')
refused('no-from', 'RUN true\n')
refused('empty', '\n# nothing\n')
refused('bad-flag', 'FROM busybox\nCOPY --nope a.txt /\n')
refused('bad-from', 'FROM busybox a b\n')
refused('missing-source', 'FROM busybox\nCOPY missing /x\n')
refused('copy-one-arg', 'FROM busybox\nCOPY a.txt\n')
refused('copy-outside', 'FROM busybox\nCOPY ../../etc/passwd /p\n')
refused('copy-later-stage', 'FROM busybox AS a\nCOPY --from=b /x /x\nFROM busybox AS b\nFROM a\n')
refused('copy-from-self', 'FROM busybox AS a\nCOPY --from=a /x /x\n')
refused('bad-arg-name', 'FROM busybox\nARG =x\n')
refused('bad-env', 'FROM busybox\nENV a=1 b\n')
refused('bad-label', 'FROM busybox\nLABEL x\n')
refused('bad-expansion', 'FROM busybox\nENV A=${B\n')
refused('bad-modifier', 'FROM busybox\nENV A=${B:=c}\n')
refused('required', 'FROM busybox\nENV A=${B:?must be set}\n')
refused('bad-health', 'FROM busybox\nHEALTHCHECK FOO bar\n')
refused('health-none-args', 'FROM busybox\nHEALTHCHECK NONE x\n')
refused('health-duration', 'FROM busybox\nHEALTHCHECK --interval=5 CMD true\n')
refused('onbuild-onbuild', 'FROM busybox\nONBUILD ONBUILD RUN true\n')
refused('onbuild-from', 'FROM busybox\nONBUILD FROM x\n')
refused('shell-text', 'FROM busybox\nSHELL /bin/sh -c\n')
refused('stopsignal-bad', 'FROM busybox\nSTOPSIGNAL NOTASIGNAL\n')
refused('expose-bad', 'FROM busybox\nEXPOSE abc\n')
refused('expose-range', 'FROM busybox\nEXPOSE 70000\n')
refused('mount-type', 'FROM busybox\nRUN --mount=type=foo,target=/x true\n')
refused('mount-no-target', 'FROM busybox\nRUN --mount=type=cache true\n')
refused('heredoc-open', 'FROM busybox\nRUN <<EOF\necho\n')
refused('run-fails', 'FROM busybox\nRUN exit 3\n')
refused('bad-chmod', 'FROM busybox\nCOPY --chmod=9 a.txt /\n')
refused('bad-user', 'FROM busybox\nUSER nosuchuser\nRUN true\n')
refused('bad-chown', 'FROM busybox\nCOPY --chown=nosuchuser a.txt /\n')
refused('bad-stage-name', 'FROM busybox AS 1abc\n')
refused('bad-target', 'FROM busybox\n', extra='--target nope')
refused('dir-over-file', 'FROM busybox\nRUN touch /f\nCOPY dir /f\n')
refused('file-over-dir', 'FROM busybox\nRUN mkdir -p /d/a.txt\nCOPY a.txt /d/\n')
refused('directive-twice', '# escape=`\n# escape=`\nFROM busybox\n')
refused('directive-escape', '# escape=x\nFROM busybox\n')
refused('ignored-source', 'FROM busybox\nCOPY a.txt /\n', {**TREE, '.dockerignore': 'a.txt\n'})
refused('bad-ignore', 'FROM busybox\nCOPY a.txt /\n', {**TREE, '.dockerignore': '!\n'})
refused('secret-required', 'FROM busybox\nRUN --mount=type=secret,id=z,required true\n')
refused('copy-url', 'FROM busybox\nCOPY http://127.0.0.1:1/x /x\n')
refused('checksum-copy', 'FROM busybox\nADD --checksum=sha256:' + '0' * 64 + ' a.txt /x\n')
refused('insecure', 'FROM busybox\nRUN --security=insecure true\n')
refused('copy-from-variable', 'FROM busybox AS b\nARG S=b\nFROM busybox\nARG S=b\nCOPY --from=$S /etc/passwd /p\n')


def write(folder, dockerfile, files, extra):
    folder.mkdir(parents=True, exist_ok=True)
    if dockerfile:
        (folder / 'Dockerfile').write_bytes(dockerfile.encode())
    if extra:
        (folder / '..' / (folder.name + '.extra')).write_text(extra.replace('{dir}', str(folder)))
    if files.get('tar'):
        staging = folder.parent / (folder.name + '.staging')
        (staging / 'in').mkdir(parents=True, exist_ok=True)
        (staging / 'in/f').write_text('in tar\n')
        (staging / 'in/x').write_text('exec\n')
        os.chmod(staging / 'in/x', 0o751)
        if not os.path.lexists(staging / 'in/l'):
            os.symlink('f', staging / 'in/l')
        for flag, name in (('', 't.tar'), ('z', 't.tar.gz'), ('j', 't.tar.bz2'), ('J', 't.tar.xz')):
            os.system(f'tar -C {staging} --owner=11 --group=12 -c{flag}f {folder}/{name} in')
        return
    for name, content in files.items():
        if name == SH:
            subprocess.run(['bash', '-ec', content], cwd=folder, check=True)
            continue
        path = folder / name
        mode = None
        if isinstance(content, tuple):
            content, mode = content
        if name.endswith('/'):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            if content.startswith('->'):
                if not path.is_symlink():
                    path.symlink_to(content[2:])
                continue
            path.write_text(content)
        if mode is not None:
            os.chmod(path, mode)


root = pathlib.Path(sys.argv[1]).absolute()
for kind, cases in (('same', SAME), ('self', SELF), ('refused', REFUSED)):
    for name, (dockerfile, files, extra) in cases.items():
        write(root / kind / name, dockerfile, files, extra)
print(len(SAME), 'to compare,', len(SELF), 'that check themselves,', len(REFUSED), 'refused')
