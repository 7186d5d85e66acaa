"""The methods of the Web API: what each needs and which function answers it."""
