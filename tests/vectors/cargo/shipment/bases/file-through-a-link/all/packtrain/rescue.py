# In the vectors this file stands for src/packtrain/volume/rescue.py, which lies on every drive.
