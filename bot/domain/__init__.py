"""What Switchyard knows about trainings: pure values and rules, without Slack, SQL or a network."""
