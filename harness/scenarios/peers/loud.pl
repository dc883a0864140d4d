# Twenty lines each millisecond, to whom standard output belongs.
$| = 1;
while (1) {
    print "GET / 200\n" x 20;
    select undef, undef, undef, 0.001;
}
