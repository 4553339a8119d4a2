-- An instant as whole milliseconds since 1970, rounded down.
-- Called by: most functions, and every statement that reads an instant. A function to say it once; the planner puts it in
-- place of the call.
CREATE FUNCTION epoch_ms(instant timestamptz) RETURNS float8 LANGUAGE sql STABLE AS $$
  SELECT floor(extract(epoch FROM instant) * 1000)::float8
$$;
