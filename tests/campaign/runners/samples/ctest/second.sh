touch "$REACHED"
sleep 60
touch "$FINISHED"
