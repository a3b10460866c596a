import time
def sleepy():
    time.sleep(0.01)
