-- Fills of one millisecond come without an order. They chain (the position after one is the position before the next),
-- so their order is a trail through the graph whose edges they are; src/sync/chain.ts does the same.

create or replace function hl_internal.chain_order(befores numeric[], afters numeric[], previous numeric) returns integer[]
language plpgsql immutable set search_path = '' as $$
declare
  n integer := cardinality(befores);
  used boolean[] := array_fill(false, array[n]);
  ranks integer[] := array_fill(0, array[n]);
  placed integer := 0;
  nodes numeric[];
  vias integer[];
  trail integer[];
  start numeric;
  edge integer;
begin
  -- The usual knot, without the search: it took half of what the page's round trips took.
  if n = 2 then
    return case when case
      when befores[1] = befores[2] then afters[1] = befores[1]
      when (befores[1] = any (afters)) <> (befores[2] = any (afters)) then befores[2] = any (afters)
      when previous = any (befores) then previous = befores[1]
      else befores[2] <> 0 or befores[2] <> all (afters)
    end then array[1, 2] else array[2, 1] end;
  end if;
  while placed < n loop
    -- A trail begins where more fills leave than arrive; a closed one where the last one ended, if it can, else at 0, since
    -- most begin flat.
    select node into start
    from (
      select node, sum(balance) as surplus, bool_or(balance > 0) as leaves, min(i) filter (where balance > 0) as i
      from (
        select trim_scale(befores[i]) as node, 1 as balance, i from generate_series(1, n) i where not used[i]
        union all
        select trim_scale(afters[i]), -1, i from generate_series(1, n) i where not used[i]
      ) ends group by node
    ) found
    where leaves
    order by surplus > 0 desc, node = previous desc nulls last, surplus <= 0 and node = 0 desc, i
    limit 1;
    nodes := array[start];
    vias := array[null::integer];
    trail := '{}';
    while cardinality(nodes) > 0 loop
      select min(i) into edge from generate_series(1, n) i where not used[i] and befores[i] = nodes[cardinality(nodes)];
      if edge is not null then
        used[edge] := true;
        nodes := nodes || afters[edge];
        vias := vias || edge;
      else
        trail := vias[cardinality(vias)] || trail;
        nodes := trim_array(nodes, 1);
        vias := trim_array(vias, 1);
      end if;
    end loop;
    for edge in select e from unnest(trail) with ordinality t(e, at) where e is not null order by at loop
      placed := placed + 1;
      ranks[edge] := placed;
      previous := trim_scale(afters[edge]);
    end loop;
  end loop;
  return ranks;
end
$$;
comment on function hl_internal.chain_order is 'Ranks fills, given by the positions before and after them, in the order in which they chain.';
