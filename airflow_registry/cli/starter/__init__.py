"""`init`: from one file of rows to a training DAG, a scoring DAG and a policy that people go on with."""
