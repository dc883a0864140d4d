#!/bin/sh
# Has packets that come in meet some rules, one after another: rule.sh TABLE RULES
nft -f - <<END
table inet $1 {
    chain input {
        type filter hook input priority -200; policy accept;
        $2
    }
}
END
